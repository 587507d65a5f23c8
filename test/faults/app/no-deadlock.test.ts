import { expect } from "vitest";
import { ACCEPTED } from "../../../src/bindings/binding.js";
import { startScene } from "../../integration/client/client-under-test.js";
import { MosquittoInput, numbered, textOf } from "../../integration/input/mosquitto-input.js";
import { eventually } from "../../support/eventually.js";
import { fault } from "../support/fault.js";

fault(
	{
		rows: ["F-86", "S-39"],
		injected: "handlers that create through the same binding and wait for it, with a broker's window of one",
	},
	"no deadlock: each create succeeds, in order",
	async ({ seen }) => {
		await using line = await MosquittoInput.open({ maxInFlight: 4 }, { maxInflightMessages: 1 });
		await line.device.subscribe("out");
		await line.read(async ({ data }) => {
			await line.binding.invoke({ operation: "create", data, metadata: { topic: "out" } });
			return ACCEPTED;
		});
		const texts = numbered(50, "m");
		await line.send(...texts);
		const out = await line.device.received(50);
		expect(out.map(({ payload }) => payload.toString())).toEqual(texts);
		seen("50 of 50 created and accepted");
	},
);

fault(
	{ rows: ["F-86"], injected: "a handler that waits for a message which comes through the same input behind it" },
	"it gets it",
	async ({ seen }) => {
		await using line = await MosquittoInput.open();
		let release = () => {};
		const released = new Promise<void>((resolve) => {
			release = resolve;
		});
		const ended: string[] = [];
		await line.read(async (event) => {
			const text = textOf(event);
			if (text === "waits") await released;
			else release();
			ended.push(text);
			return ACCEPTED;
		});
		await line.send("waits", "frees");
		await eventually(() => expect(ended.toSorted()).toEqual(["frees", "waits"]));
		seen("both ended");
	},
);

fault(
	{
		rows: ["F-86", "S-39"],
		injected: "a publish from inside a handler while the broker waits for that very message's PUBACK",
	},
	"it succeeds, round after round",
	async ({ seen }) => {
		await using scene = await startScene({
			onDelivery: (delivery) => void scene.it.publish("answer").then(() => delivery.ack()),
		});
		const connection = await scene.subscribed();
		for (let round = 1; round <= 3; round++) {
			connection.publish("a/b", `question ${round}`, { qos: 1, messageId: 1 });
			const { messageId } = await connection.expect("publish");
			connection.send({ cmd: "puback", messageId: messageId! });
			await connection.expect("puback");
		}
		seen("3 rounds");
	},
);
