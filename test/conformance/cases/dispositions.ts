import { expect } from "vitest";
import type { CaseGroup } from "../case.js";
import { texts } from "../stage.js";

const answers = (rules: Readonly<Record<string, number>>) => ({
	rules: Object.entries(rules).map(([payload, status]) => ({ payloads: [payload], status })),
});

/** What may follow when the app refuses: dead letters, answers that are final, order within a topic, a deadline. */
export const dispositions: readonly CaseGroup[] = [
	{
		name: "deadLetterTopic",
		options: { deadLetterTopic: "dead" },
		cases: [
			{
				name: "a refused message is published there as a report, acknowledged, and does not come again",
				async run(stage) {
					await stage.binding.answer(answers({ poison: 500 }));
					await stage.send("letters", "poison", "a");
					const letter = await stage.publishedTo("dead");
					expect(JSON.parse(Buffer.from(letter.payload).toString())).toMatchObject({
						topic: "in/letters",
						qos: 1,
						retain: false,
						attempts: 1,
						error: expect.stringContaining("500"),
						payload: Buffer.from("poison").toString("base64"),
					});
					await stage.accepted("letters", 1);
					expect(await stage.codes()).toEqual([]);
					expect(await stage.binding.stop()).toBe(true);
					await stage.restart({ script: {} });
					await stage.settled();
					expect(texts(stage.events("letters"))).toEqual([]);
				},
			},
		],
	},
	{
		name: "deadLetterFormat: raw",
		options: {
			deadLetterTopic: "dead",
			deadLetterFormat: "raw",
			onRetriesExhausted: "hold",
			deadLetterOn: ["4xx"],
			dropOn: ["404"],
		},
		cases: [
			{
				name: "an answer that deadLetterOn names: the bare payload, below the topic; one that dropOn names: gone; any other: held",
				async run(stage) {
					await stage.binding.answer(answers({ unfit: 422, unknown: 404, poison: 500 }));
					await stage.send("raw", "unfit", "unknown", "poison", "a");
					const letter = await stage.publishedTo("dead/in/raw");
					expect(Buffer.from(letter.payload).toString()).toBe("unfit");
					await stage.accepted("raw", 1);
					expect(await stage.reason("held")).toBe(false);
					expect(stage.published.filter(({ topic }) => topic.startsWith("dead/"))).toHaveLength(1);
					expect(await stage.binding.stop()).toBe(true);
					await stage.restart({ script: {} });
					await stage.accepted("raw", 1);
					await stage.settled();
					expect(texts(stage.events("raw"))).toEqual(["poison"]);
				},
			},
		],
	},
	{
		name: "ordering: topic",
		options: { ordering: "topic", backOffMaxRetries: 3, backOffIntervalMs: 40 },
		cases: [
			{
				name: "a refused message holds up its topic until it is accepted, and no other",
				async run(stage) {
					await stage.binding.answer({ rules: [{ payloads: ["1"], status: 500, times: 2 }] });
					await stage.send("lane", "1", "2", "3");
					await stage.send("other", "x");
					await stage.accepted("other", 1);
					await stage.accepted("lane", 3);
					expect(texts(stage.events("lane"))).toEqual(["1", "1", "1", "2", "3"]);
				},
			},
		],
	},
	{
		name: "handlerTimeout",
		options: { handlerTimeoutMs: 150, maxInFlight: 1, holdIntervalMs: 60_000 },
		cases: [
			{
				name: "an app that never answers costs its message an attempt, and the others flow",
				async run(stage) {
					await stage.binding.answer({ rules: [{ payloads: ["stuck"], end: "hang" }] });
					await stage.send("late", "stuck", "a", "b");
					expect(texts(await stage.accepted("late", 2))).toEqual(["a", "b"]);
					expect(await stage.reason("held")).toBe(false);
				},
			},
		],
	},
];
