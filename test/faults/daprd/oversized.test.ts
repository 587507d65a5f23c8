import { expect } from "vitest";
import { startComponent } from "../../support/component-process.js";
import { Daprd } from "../../support/daprd.js";
import { eventually } from "../../support/eventually.js";
import { type Mosquitto, startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { fault } from "../support/fault.js";

const MIB = 1_024 * 1_024;

/** A component that reads `in/#` of `broker` for a daprd whose app takes everything. */
async function startPlugged(broker: Mosquitto, more: Readonly<Record<string, string>>) {
	const component = await startComponent({ args: ["--metrics-port", "0"] });
	const properties = { url: broker.url, topic: "in/#", consumerID: "plugged", maxPayloadSize: "16Mi", ...more };
	const daprd = await Daprd.start({ socket: component.socket, properties });
	await daprd.ping("input");
	return {
		daprd,
		component,
		metric: async (start: string) => {
			const line = (await component.metrics()).split("\n").find((one) => one.startsWith(start));
			return Number(line?.split(" ").at(-1));
		},
		async [Symbol.asyncDispose]() {
			await daprd[Symbol.asyncDispose]();
			await component[Symbol.asyncDispose]();
		},
	};
}

fault(
	{
		rows: ["F-52"],
		injected:
			"a retained message of 8 MiB, and one that is over 4 MiB only with its metadata, through daprd; 200 others behind them",
	},
	"neither goes onto the stream, which would end it: both are held, visible, and all others come and are acknowledged",
	async ({ seen }) => {
		await using broker = await startMosquitto({ logPackets: true });
		await using device = await connectDevice(broker.url);
		await using plugged = await startPlugged(broker, {});
		const { daprd, component, metric } = plugged;
		await device.publish("in/large", Buffer.alloc(8 * MIB), { retain: true });
		await device.publish("in/just-over", Buffer.alloc(4 * MIB));
		await device.publishAll(200, (index) => ({ topic: "in/a", payload: String(index) }));
		await eventually(() => expect(daprd.events).toHaveLength(200), { timeoutMs: 15_000 });
		expect(daprd.isReading).toBe(true);
		await eventually(async () => expect(await metric("mqtt3_binding_unacknowledged{")).toBe(2));
		expect(await metric("mqtt3_binding_held_oversized{")).toBe(2);
		expect(await component.metrics()).toMatch(/^mqtt3_binding_reasons\{.*code="oversized".*\} [1-9]/m);
		await component.line(/held un-acknowledged.*topic=in\/large bytes=8388608 .*code=oversized/);
		await component.line(/held un-acknowledged.*topic=in\/just-over bytes=4194304 .*code=oversized/);
		expect(await metric("mqtt3_binding_connects_total{")).toBe(1);
		const acks = () => broker.log.filter((line) => /Received PUBACK from plugged/.test(line)).length;
		await eventually(() => expect(acks()).toBe(200));
		seen(
			"two held, by topic and size in the log and in the metrics; 200 others came and were acknowledged; one connection, one Read",
		);
	},
);

fault(
	{
		rows: ["F-52"],
		injected: "a message of 8 MiB through daprd with a dead-letter topic, or with `onOversized: drop`",
	},
	"it is dead-lettered, or counted, and acknowledged; the stream goes on",
	async ({ seen }) => {
		await using broker = await startMosquitto({ logPackets: true });
		await using device = await connectDevice(broker.url);
		await device.subscribe("dead/#");
		{
			await using plugged = await startPlugged(broker, { deadLetterTopic: "dead", deadLetterFormat: "raw" });
			await device.publish("in/large", Buffer.alloc(8 * MIB));
			await device.publish("in/a", "after");
			const [letter] = await device.received(1);
			expect([letter?.topic, letter?.payload.length]).toEqual(["dead/in/large", 8 * MIB]);
			await eventually(async () => expect(await plugged.metric("mqtt3_binding_unacknowledged{")).toBe(0));
			expect(plugged.daprd.events).toHaveLength(1);
		}
		await using plugged = await startPlugged(broker, { onOversized: "drop" });
		await device.publish("in/large", Buffer.alloc(8 * MIB));
		await device.publish("in/a", "after");
		await eventually(() => expect(plugged.daprd.events).toHaveLength(1));
		await eventually(async () => expect(await plugged.metric("mqtt3_binding_unacknowledged{")).toBe(0));
		expect(await plugged.metric('mqtt3_binding_dropped_total{component="orders",reason="oversized"')).toBe(1);
		expect(plugged.daprd.isReading).toBe(true);
		seen("8 MiB on the dead-letter topic, or 1 counted as dropped; acknowledged both times, and what followed came");
	},
);
