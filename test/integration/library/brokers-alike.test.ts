import fc from "fast-check";
import { expect, test } from "vitest";
import { startBroker } from "../../../src/broker/broker.js";
import { createBinding, type Message } from "../../../src/index.js";
import { startFaultProxy } from "../../faults/support/fault-proxy.js";
import { eventually } from "../../support/eventually.js";
import { describeWith } from "../../support/left-out.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";

/** What is done to a binding and its broker. */
type Command =
	| {
			readonly do: "publish";
			readonly topic: number;
			readonly qos: 1 | 2;
			readonly refusals: number;
	  }
	/** The connection is reset, and the next command comes at once. */
	| { readonly do: "cut" }
	/** The binding is closed, and another of the same identifier starts after the next so many publishes. */
	| { readonly do: "restart" }
	/** What was published comes through first. */
	| { readonly do: "rest" };

const command: fc.Arbitrary<Command> = fc.oneof(
	{
		weight: 10,
		arbitrary: fc.record({
			do: fc.constant("publish" as const),
			topic: fc.nat(2),
			qos: fc.constantFrom(1 as const, 2 as const),
			refusals: fc.constantFrom(0, 0, 0, 1, 2),
		}),
	},
	{ weight: 2, arbitrary: fc.constant({ do: "cut" as const }) },
	{ weight: 1, arbitrary: fc.constant({ do: "restart" as const }) },
	{ weight: 1, arbitrary: fc.constant({ do: "rest" as const }) },
);

/** Topic, payload and QoS of what the app accepted, in the order of the first time. */
type History = readonly string[];

/** Plays the commands; what is allowed to differ, copies after a cut, is left out of what it returns. Nothing is retained: when brokers send that again differs. */
async function play(brokerUrl: string, port: number, commands: readonly Command[]): Promise<History> {
	await using proxy = await startFaultProxy(port);
	await using device = await connectDevice(brokerUrl);
	const refusals = new Map<string, number>();
	const accepted = new Map<string, Message>();
	const start = async () => {
		const binding = createBinding({
			url: proxy.url,
			topic: "t/#",
			qos: 2,
			clientId: "alike",
			ordering: "topic",
			backOffMaxRetries: 5,
			backOffIntervalMs: 20,
		});
		await binding.receive((message) => {
			const text = Buffer.from(message.data).toString();
			const left = refusals.get(text) ?? 0;
			if (left > 0) {
				refusals.set(text, left - 1);
				throw new Error("refused");
			}
			if (!accepted.has(text)) accepted.set(text, message);
		});
		await binding.ready();
		return binding;
	};
	let binding = await start();
	let published = 0;
	const rest = async () => {
		await eventually(() => expect(accepted.size).toBe(published), { timeoutMs: 20_000 });
	};
	for (const one of commands) {
		if (one.do === "publish") {
			const text = `m${published++}`;
			if (one.refusals > 0) refusals.set(text, one.refusals);
			await device.publish(`t/${one.topic}`, text, { qos: one.qos });
		} else if (one.do === "cut") {
			proxy.reset();
		} else if (one.do === "restart") {
			await binding.close();
			binding = await start();
		} else {
			await rest();
		}
	}
	await rest();
	await binding.close();
	return [...accepted].map(([text, { topic, qos }]) => `${topic} ${text} qos ${qos}`);
}

/** The lines of each topic together, in their order. */
function byTopic(history: History): History {
	return ["t/0", "t/1", "t/2"].flatMap((topic) => history.filter((line) => line.startsWith(`${topic} `)));
}

describeWith("mosquitto", "P19: the same commands against two brokers", () => {
	test("the app's history is the same with mosquitto and with aedes: every message once, as it was published", async () => {
		const lists = fc.sample(fc.array(command, { minLength: 25, maxLength: 40 }), { numRuns: 6, seed: 19 });
		for (const commands of lists) {
			await using mosquitto = await startMosquitto({ persistence: true });
			await using aedes = await startBroker();
			const [one, other] = await Promise.all([
				play(mosquitto.url, mosquitto.port, commands),
				play(aedes.url, aedes.port, commands),
			]);
			let number = 0;
			const published = commands.flatMap((each) =>
				each.do === "publish" ? [`t/${each.topic} m${number++} qos ${each.qos}`] : [],
			);
			expect(byTopic(one), JSON.stringify(commands)).toEqual(byTopic(published));
			// aedes sends what waited for a session beside what is new: the order within a topic is not its own.
			expect([...other].sort(), JSON.stringify(commands)).toEqual([...published].sort());
		}
	}, 120_000);
});
