import { expect } from "vitest";
import { component, logged, metric, untilReady, untilReason } from "../../integration/sidecar/component.js";
import { distinct, numbers, startLine, texts } from "../../integration/sidecar/line.js";
import { startApp } from "../../support/app-process.js";
import { eventually } from "../../support/eventually.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { type SidecarProcess, startSidecar } from "../../support/sidecar-process.js";
import { fault } from "../support/fault.js";
import { startFaultProxy } from "../support/fault-proxy.js";
import { pubAcks, startScriptedLine } from "../support/scripted-line.js";

const DEAD_LETTERS = {
	deadLetterTopic: "dead/letters",
	backOffMaxRetries: 0,
	backOffInterval: "200ms",
	holdInterval: "1s",
};

/** A third one would make a dead letter the suspect, and it would rest for an hour (docs/decisions/0017). */
const MOST_RESETS = 2;

function deadLettered(sidecar: SidecarProcess): Promise<number> {
	return metric(sidecar, 'mqtt3_binding_dead_lettered_total{component="orders"');
}

fault(
	{
		rows: ["F-42", "S-7"],
		injected:
			"a message is refused for good, and the broker leaves its dead letter without PUBACK, then ends the connection",
	},
	"the original stays un-acknowledged and readiness tells; after the dead letter's PUBACK, and not before, it is acknowledged",
	async ({ seen }) => {
		await using line = await startScriptedLine({
			app: { rules: [{ payloads: ["poison"], status: 500 }] },
			fields: { ...DEAD_LETTERS, publishTimeout: "1s" },
		});
		const first = await line.subscribed();
		first.publish("in/a", "poison", { qos: 1, messageId: 1 });
		first.publish("in/a", "good", { qos: 1, messageId: 2 });
		const came = () => first.received.map(({ packet }) => packet);
		await eventually(() => {
			expect(came().filter(({ cmd }) => cmd === "publish")).toMatchObject([{ topic: "dead/letters" }]);
			expect(came().filter(({ cmd }) => cmd === "puback")).toMatchObject([{ messageId: 2 }]);
		});
		const { message } = await untilReason(line.sidecar, "dead-letter-failed");
		expect(came().filter(({ cmd }) => cmd === "puback")).toHaveLength(1);
		first.reset();
		const second = await line.subscribed({ sessionPresent: true });
		second.publish("in/a", "poison", { qos: 1, messageId: 1, dup: true });
		const letter = await second.expect("publish", ({ topic }) => topic === "dead/letters", 10_000);
		await second.nothing(100);
		second.send({ cmd: "puback", messageId: letter.messageId! });
		expect(await pubAcks(second, 1)).toEqual([1]);
		expect(JSON.parse(String(letter.payload))).toMatchObject({
			topic: "in/a",
			payload: Buffer.from("poison").toString("base64"),
		});
		expect(await deadLettered(line.sidecar)).toBe(1);
		expect(await metric(line.sidecar, 'mqtt3_binding_dead_letters_failed_total{component="orders"')).toBeGreaterThan(0);
		await untilReady(line.sidecar);
		seen(`"${message}"; PUBACK of the original right after that of its dead letter`);
	},
	60_000,
);

fault(
	{
		rows: ["F-42", "S-7"],
		injected:
			"20 of 200 messages are refused for good, while the proxy swallows two PUBACKs of dead letters and resets the connection each time",
	},
	"no dead letter's original is acknowledged before its PUBACK passed; all 20 are dead-lettered in the end, all others accepted",
	async ({ seen }) => {
		await using broker = await startMosquitto({ persistence: true, logPackets: true });
		await using proxy = await startFaultProxy(broker.port);
		await using app = await startApp({ rules: [{ pattern: "5$", status: 500 }] });
		await using sidecar = await startSidecar({
			components: component({ url: proxy.url, ...DEAD_LETTERS, deadLetterFormat: "raw" }),
			appPort: app.port,
		});
		await untilReady(sidecar);
		await using device = await connectDevice(broker.url);
		await device.subscribe("dead/#", 1);
		let resets = 0;
		void proxy.on("from server", "puback", () => resets < MOST_RESETS, {
			packet: "swallowed",
			after: (link) => {
				resets++;
				link.reset();
			},
		});
		await device.publishAll(200, (index) => ({ topic: "in/a", payload: String(index) }));
		const good = numbers(200).filter((number) => !number.endsWith("5"));
		await eventually(() => expect(distinct(texts(app.accepted()))).toEqual(good), { timeoutMs: 20_000 });
		const letters = () => distinct(texts(device.messages));
		await eventually(() => expect(letters()).toEqual(numbers(200).filter((number) => number.endsWith("5"))), {
			timeoutMs: 20_000,
		});
		// On the wire: a PUBACK of ours for a refused message only after a PUBACK of the broker for its letter had passed.
		const passed = new Set<string>();
		const acknowledged = new Set<string>();
		const byId = new Map<string, string>();
		const read = () => {
			for (const event of proxy.history.splice(0)) {
				if (event.event !== "packet") continue;
				const { epoch, direction, packet, fate } = event;
				const from = direction === "from server" ? "original" : "letter";
				if (packet.type === "publish") byId.set(`${epoch} ${from} ${packet.id}`, packet.payload ?? "");
				if (packet.type !== "puback") continue;
				if (direction === "from server") {
					if (fate === "forwarded") passed.add(byId.get(`${epoch} letter ${packet.id}`)!);
					continue;
				}
				const original = byId.get(`${epoch} original ${packet.id}`);
				if (original === undefined) throw new Error(`PUBACK ${packet.id} on connection ${epoch} for nothing`);
				if (!original.endsWith("5")) continue;
				if (!passed.has(original)) throw new Error(`${original} was acknowledged before its dead letter`);
				acknowledged.add(original);
			}
		};
		const deadline = performance.now() + 20_000;
		for (
			;
			acknowledged.size < 20 && performance.now() < deadline;
			await new Promise((resolve) => setTimeout(resolve, 50))
		) {
			read();
		}
		expect(acknowledged.size).toBe(20);
		expect(resets).toBe(MOST_RESETS);
		seen(
			`${resets} PUBACKs of dead letters lost with their connections; 180 accepted, 20 dead-lettered (${device.messages.length} copies)`,
		);
	},
	60_000,
);

fault(
	{
		rows: ["F-95"],
		injected:
			"a session with a filter of before that matches the dead-letter topic; everything is refused, and so the dead letter comes back and is refused",
	},
	"it is held, not dead-lettered again: no loop and no growth",
	async ({ seen }) => {
		await using line = await startLine({
			app: { status: 500 },
			fields: { topics: ["dead/#"] },
			broker: { persistence: true },
		});
		await line.sidecar.stop();
		// The same session, with the filter dead/# left over.
		const components = component({ url: line.broker.url, ...DEAD_LETTERS, deadLetterFormat: "raw" });
		await using sidecar = await startSidecar({ components, appPort: line.app.port });
		await untilReady(sidecar);
		await using observer = await connectDevice(line.broker.url);
		await observer.subscribe("dead/#", 1);
		await line.device.publish("in/a", "refused");
		await observer.received(1);
		await sidecar.line(/code=held /);
		// Several rounds of holdInterval.
		await new Promise((resolve) => setTimeout(resolve, 3_500));
		expect(observer.messages).toHaveLength(1);
		expect(await deadLettered(sidecar)).toBe(1);
		expect(await metric(sidecar, 'mqtt3_binding_held{component="orders"')).toBe(1);
		const calls = line.app.requests().length;
		expect(calls).toBeLessThanOrEqual(7);
		expect(logged(sidecar, "stray-topic").length + logged(sidecar, "stray-topics").length).toBeGreaterThan(0);
		seen(`1 dead letter in all, itself held; ${calls} attempts in 3.5 s with a holdInterval of 1 s`);
	},
	60_000,
);
