import { expect } from "vitest";
import { eventually } from "../../support/eventually.js";
import type { CaseGroup } from "../case.js";
import type { AppEvent } from "../face.js";
import { texts } from "../stage.js";

const BACK_OFF_MS = 60;
const refuses = (payload: string, times?: number) => ({
	rules: [{ payloads: [payload], status: 500, ...(times !== undefined && { times }) }],
});

function attempts(events: readonly AppEvent[]): readonly number[] {
	return events.map(({ attempt }) => attempt);
}

/** What becomes of a message that the app does not accept. */
export const refusing: readonly CaseGroup[] = [
	{
		name: "backOffMaxRetries: 2",
		options: { backOffMaxRetries: 2, backOffIntervalMs: BACK_OFF_MS },
		cases: [
			{
				name: "a message refused once is tried again after backOffInterval, as attempt 2, and no more once accepted",
				async run(stage) {
					await stage.binding.answer(refuses("once", 1));
					await stage.send("once", "once");
					await stage.accepted("once", 1);
					await stage.settled();
					const events = stage.events("once");
					expect(attempts(events)).toEqual([1, 2]);
					expect(events[1]!.at - events[0]!.answeredAt!).toBeGreaterThan(BACK_OFF_MS * 0.9);
				},
			},
			{
				name: "after three refusals it is held, while the messages behind it flow",
				async run(stage) {
					await stage.binding.answer(refuses("poison"));
					await stage.send("held", "poison", "a", "b", "c");
					expect(texts(await stage.accepted("held", 3))).toEqual(["a", "b", "c"]);
					await stage.arrived("held", 5 + 1);
					expect(await stage.reason("held")).toBe(false);
					expect(attempts(stage.events("held").filter(({ status }) => status === 500))).toEqual([1, 2, 3]);
				},
			},
		],
	},
	{
		name: "backOffMaxRetries: 0",
		options: { holdIntervalMs: 200 },
		cases: [
			{
				name: "a message refused once is held, tried again every holdInterval, and accepted by itself",
				async run(stage) {
					await stage.binding.answer(refuses("poison"));
					await stage.send("held", "poison", "healthy");
					await stage.accepted("held", 1);
					const [first, second] = (await stage.arrived("held", 4)).filter(({ status }) => status === 500);
					expect(await stage.reason("held")).toBe(false);
					expect([first!.attempt, second!.attempt]).toEqual([1, 2]);
					// Three quarters of the interval, or all of it.
					expect(second!.at - first!.answeredAt!).toBeGreaterThan(140);
					await stage.binding.answer({});
					expect(texts(await stage.accepted("held", 2))).toEqual(["healthy", "poison"]);
					// The app's word may still be on its way.
					await eventually(async () => expect(await stage.codes()).toEqual([]));
				},
			},
			{
				name: "a message that is held stays with the broker, and comes again to the next start",
				async run(stage) {
					await stage.binding.answer(refuses("kept"));
					await stage.send("kept", "kept", "accepted");
					await stage.accepted("kept", 1);
					await stage.reason("held");
					expect(await stage.binding.stop()).toBe(true);
					await stage.restart({ script: {} });
					expect(texts(await stage.accepted("kept", 1))).toEqual(["kept"]);
					await stage.settled();
					expect(texts(stage.events("kept"))).toEqual(["kept"]);
				},
			},
		],
	},
	{
		name: "onRetriesExhausted: drop",
		options: { onRetriesExhausted: "drop", backOffMaxRetries: 1, backOffIntervalMs: 20 },
		cases: [
			{
				name: "what was refused once too often is acknowledged and gone; what comes behind it is not",
				async run(stage) {
					await stage.binding.answer(refuses("poison"));
					await stage.send("dropped", "poison", "a", "b");
					expect(texts(await stage.accepted("dropped", 2))).toEqual(["a", "b"]);
					await stage.arrived("dropped", 4);
					// What is refused while it stops would stay with the broker.
					await stage.settled();
					expect(await stage.codes()).toEqual([]);
					expect(await stage.binding.stop()).toBe(true);
					await stage.restart();
					await stage.settled();
					expect(texts(stage.events("dropped"))).toEqual([]);
				},
			},
		],
	},
	{
		name: "backOffMaxRetries: -1",
		options: { backOffMaxRetries: -1, backOffIntervalMs: 20 },
		cases: [
			{
				name: "a message is tried until it is accepted, while others flow",
				async run(stage) {
					await stage.binding.answer(refuses("stubborn", 6));
					await stage.send("endless", "stubborn", "a", "b");
					expect(texts(await stage.accepted("endless", 3))).toEqual(["a", "b", "stubborn"]);
					const stubborn = stage.events("endless").filter(({ payload }) => payload.toString() === "stubborn");
					expect(attempts(stubborn)).toEqual([1, 2, 3, 4, 5, 6, 7]);
				},
			},
		],
	},
	{
		name: "a message of QoS 0",
		options: { holdIntervalMs: 50 },
		cases: [
			{
				name: "is dropped when its retries are used up: there is nothing to hold",
				async run(stage) {
					await stage.binding.answer(refuses("poison"));
					await stage.broker.publish("in/zero", "poison", { qos: 0 });
					await stage.arrived("zero", 1);
					await stage.settled();
					expect(await stage.codes()).toEqual([]);
					expect(attempts(stage.events("zero"))).toEqual([1]);
				},
			},
		],
	},
	{
		name: "onOversized: hold",
		options: { maxPayloadSize: 100 },
		cases: [
			{
				name: "a payload of maxPayloadSize arrives, a larger one is held unseen and named, and the others flow",
				async run(stage) {
					await stage.send("large", "x".repeat(101), "y".repeat(100), "small");
					expect(texts(await stage.accepted("large", 2))).toEqual(["y".repeat(100), "small"]);
					expect(await stage.reason("oversized")).toBe(false);
				},
			},
			{
				name: "it stays with the broker for a start that can take it",
				async run(stage) {
					expect(await stage.binding.stop()).toBe(true);
					await stage.restart({ maxPayloadSize: 1_000 });
					await stage.accepted("large", 1);
					await stage.settled();
					expect(texts(stage.events("large"))).toEqual(["x".repeat(101)]);
				},
			},
		],
	},
	{
		name: "onOversized: drop",
		options: { maxPayloadSize: 100, onOversized: "drop" },
		cases: [
			{
				name: "a larger payload is acknowledged and gone",
				async run(stage) {
					await stage.send("large", "x".repeat(101), "small");
					expect(texts(await stage.accepted("large", 1))).toEqual(["small"]);
					expect(await stage.codes()).toEqual([]);
					expect(await stage.binding.stop()).toBe(true);
					await stage.restart({ maxPayloadSize: 1_000 });
					await stage.settled();
					expect(stage.events("large")).toEqual([]);
				},
			},
		],
	},
];
