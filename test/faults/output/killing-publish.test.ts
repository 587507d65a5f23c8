import { expect } from "vitest";
import { component, metric, untilReady } from "../../integration/sidecar/component.js";
import { startLine, texts } from "../../integration/sidecar/line.js";
import { startApp } from "../../support/app-process.js";
import { eventually } from "../../support/eventually.js";
import { startScriptedBroker } from "../../support/scripted-broker.js";
import { type SidecarProcess, startSidecar } from "../../support/sidecar-process.js";
import { fault } from "../support/fault.js";

/** As the documentation says: with the third connection that ends over it, it fails. */
const MOST_COPIES = 3;

async function create(sidecar: SidecarProcess, topic: string, data: string) {
	const answer = await sidecar.create("orders", { operation: "create", data, metadata: { topic } });
	return { status: answer.status, text: await answer.text() };
}

fault(
	{
		rows: ["F-31", "S-38"],
		injected:
			"a payload of 2 KiB to a mosquitto that ends connections over packets above 1 KiB, while others publish and messages come in",
	},
	"that call ends with outcome unknown after three connections; other calls and the input go on, and it is never sent again",
	async ({ seen }) => {
		await using line = await startLine({ broker: { config: ["max_packet_size 1024"], logPackets: true } });
		const { broker, app, sidecar, device } = line;
		await device.subscribe("out/#", 1);
		const killer = create(sidecar, "out/large", "k".repeat(2_048));
		const others = Promise.all(
			Array.from({ length: 40 }, async (_, index) => await create(sidecar, "out/small", String(index))),
		);
		await device.publishAll(40, (index) => ({ topic: "in/a", payload: String(index) }));
		const { status, text } = await killer;
		expect(status).toBe(500);
		expect(text).toContain("outcome unknown: ");
		expect((await others).map((answer) => answer.status)).toEqual(Array(40).fill(204));
		await eventually(() => expect(new Set(texts(app.accepted())).size).toBe(40));
		await device.received(40);
		expect(new Set(texts(device.messages)).size).toBe(40);
		expect(device.messages.filter(({ topic }) => topic === "out/large")).toEqual([]);
		const kills = () => broker.log.filter((entry) => /sidecar-orders.*oversize packet/.test(entry)).length;
		const killed = kills();
		expect(killed).toBe(MOST_COPIES);
		// Nothing of it is left: the connection stays, and what comes next passes.
		await untilReady(sidecar);
		for (let index = 0; index < 20; index++) {
			expect(await create(sidecar, "out/small", `after ${index}`)).toMatchObject({ status: 204 });
		}
		expect(kills()).toBe(killed);
		seen(`${killed} connections ended over it, then "${text}"; 60 other calls 204; 40 of 40 messages came in`);
	},
	60_000,
);

fault(
	{
		rows: ["F-31"],
		injected:
			"a payload of 2 KiB to a mosquitto with message_size_limit 1024, which acknowledges what it throws away and ends the connection",
	},
	"success means that the broker acknowledged it; what comes next passes, and it is not sent again",
	async ({ seen }) => {
		await using line = await startLine({ broker: { messageSizeLimit: 1_024, logPackets: true } });
		const { broker, sidecar, device } = line;
		await device.subscribe("out/#", 1);
		const { status } = await create(sidecar, "out/large", "k".repeat(2_048));
		expect([204, 500]).toContain(status);
		await untilReady(sidecar);
		for (let index = 0; index < 10; index++) {
			expect(await create(sidecar, "out/small", String(index))).toMatchObject({ status: 204 });
		}
		await device.received(10);
		expect(device.messages.filter(({ topic }) => topic === "out/large")).toEqual([]);
		const copies = broker.log.filter((entry) => /Dropped too large PUBLISH from sidecar-orders/.test(entry)).length;
		expect(copies).toBeLessThanOrEqual(MOST_COPIES);
		seen(`${status} after ${copies} copies; 10 of 10 after it 204`);
	},
	60_000,
);

fault(
	{
		rows: ["F-33", "S-37"],
		injected: "a topic that mosquitto's access list forbids, as its own way is: it acknowledges what it throws away",
	},
	"success means that the broker acknowledged it: documented, as 3.1.1 has no other answer; nobody gets it",
	async ({ seen }) => {
		await using line = await startLine({
			broker: { acl: "topic readwrite in/#\ntopic readwrite out/#\n", logPackets: true },
		});
		await line.device.subscribe("#", 1);
		expect(await create(line.sidecar, "forbidden/a", "m")).toMatchObject({ status: 204 });
		expect(await create(line.sidecar, "out/a", "after")).toMatchObject({ status: 204 });
		await line.device.received(1);
		expect(texts(line.device.messages)).toEqual(['"after"']);
		seen("204 for both; only the allowed one arrived");
	},
);

fault(
	{
		rows: ["F-33", "S-37", "S-38"],
		injected: "a broker that ends the connection on each PUBLISH to a forbidden topic [MQTT-3.3.5-2]",
	},
	"three connections, then outcome unknown; no reconnect loop over the same message, and what shares the connection with it succeeds",
	async ({ seen }) => {
		await using broker = await startScriptedBroker();
		await using app = await startApp();
		await using sidecar = await startSidecar({ components: component({ url: broker.url }), appPort: app.port });
		const forbidden: boolean[] = [];
		const sent: string[] = [];
		const serving = (async () => {
			for (;;) {
				const connection = await broker.accept(15_000);
				await connection.greet({ sessionPresent: forbidden.length > 0 });
				await connection.grant();
				for (;;) {
					const ended = connection.closed.then(() => undefined);
					const publish = await Promise.race([connection.expect("publish", () => true, 15_000), ended]);
					if (publish === undefined) return;
					if (publish.topic === "forbidden") {
						forbidden.push(publish.dup ?? false);
						connection.close();
						break;
					}
					sent.push(String(publish.payload));
					connection.send({ cmd: "puback", messageId: publish.messageId! });
				}
			}
		})();
		serving.catch(() => {});
		await untilReady(sidecar);
		const killer = create(sidecar, "forbidden", "m");
		const others = Array.from({ length: 10 }, async (_, index) => await create(sidecar, "out/a", String(index)));
		const { status, text } = await killer;
		expect(status).toBe(500);
		expect(text).toContain("outcome unknown: ");
		expect((await Promise.all(others)).map((answer) => answer.status)).toEqual(Array(10).fill(204));
		await untilReady(sidecar);
		expect(await create(sidecar, "out/a", "after")).toMatchObject({ status: 204 });
		expect(forbidden).toEqual([false, ...Array(MOST_COPIES - 1).fill(true)]);
		expect(new Set(sent).size).toBe(11);
		expect(await metric(sidecar, 'mqtt3_binding_connects_total{component="orders"')).toBe(MOST_COPIES + 1);
		seen(`${forbidden.length} copies, then "${text}"; the 11 others succeeded; ${MOST_COPIES + 1} connections in all`);
	},
	60_000,
);
