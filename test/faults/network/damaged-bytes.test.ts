import { expect } from "vitest";
import { delayOf, startScene } from "../../integration/client/client-under-test.js";
import { pass, withFastTime } from "../../integration/client/fast-time.js";
import { eventually } from "../../support/eventually.js";
import { fault } from "../support/fault.js";

withFastTime();

fault(
	{ rows: ["F-10"], injected: "the broker's packets come a byte at a time" },
	"packets that come a byte at a time are the same packets",
	async ({ seen }) => {
		await using scene = await startScene({ onDelivery: (delivery) => delivery.ack() });
		const connection = await scene.broker.accept();
		await connection.expect("connect");
		const send = async (bytes: readonly number[]) => {
			for (const byte of bytes) {
				connection.sendRaw([byte]);
				await new Promise((resolve) => setImmediate(resolve));
			}
		};
		await send([0x20, 2, 1, 0]);
		const { messageId } = await connection.expect("subscribe");
		await send([0x90, 3, messageId! >> 8, messageId! & 0xff, 1]);
		await scene.it.reported("subscribed");
		await send([0x32, 9, 0, 3, 0x61, 0x2f, 0x62, 0x01, 0x02, 0x21, 0x3f]);
		await connection.expect("puback", (it) => it.messageId === 0x0102);
		expect(scene.it.payloads).toEqual(["!?"]);
		seen("CONNACK, SUBACK and PUBLISH in single bytes: subscribed, delivered, acknowledged");
	},
);

const PUBLISH = [0x32, 9, 0, 3, 0x61, 0x2f, 0x62, 0x01, 0x02, 0x21, 0x21];
/** Of that PUBLISH, all before the payload. */
const HEADER_BYTES = 9;

fault(
	{
		rows: ["F-11"],
		injected: "each bit of a PUBLISH's fixed header, length, topic and identifier is flipped, one in a connection",
	},
	"whatever bit of a PUBLISH's header is flipped, no identifier but an accepted message's is acknowledged",
	async ({ seen }) => {
		await using scene = await startScene({ onDelivery: (delivery) => delivery.ack() });
		let acknowledged = 0;
		for (let bit = 0; bit < HEADER_BYTES * 8; bit++) {
			const connection = await scene.online();
			await connection.grant();
			const delivered = scene.it.deliveries.length;
			const bytes = [...PUBLISH];
			bytes[bit >> 3]! ^= 1 << (bit & 7);
			connection.sendRaw(bytes);
			connection.close();
			await eventually(() => expect(scene.it.orphanings).toBe(bit + 1));
			const ids = scene.it.deliveries.slice(delivered).filter(({ packet }) => packet.qos > 0);
			const acks = connection.received.flatMap(({ packet }) =>
				packet.cmd === "puback" || packet.cmd === "pubrec" ? [packet.messageId] : [],
			);
			for (const id of acks) expect(ids.map(({ packetId }) => packetId)).toContain(id);
			acknowledged += acks.length;
			await pass(delayOf(await scene.it.reported("disconnected", bit + 1)) + 1);
		}
		const broken = scene.it.reports.filter(
			({ code, message }) => code === "disconnected" && /violated the protocol/.test(message),
		);
		expect(broken.length).toBeGreaterThan(20);
		seen(
			`${HEADER_BYTES * 8} flips: ${broken.length} closed by us with a clause, ${scene.it.deliveries.length} read as another valid message, ${acknowledged} acknowledgements, each of what was delivered`,
		);
	},
	60_000,
);
