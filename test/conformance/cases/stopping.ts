import { expect } from "vitest";
import type { CaseGroup } from "../case.js";
import { texts } from "../stage.js";

/** What a graceful stop does with messages, and what comes again. */
export const stopping: readonly CaseGroup[] = [
	{
		name: "a graceful stop",
		cases: [
			{
				name: "waits for the app, acknowledges what it accepted then, and nothing comes again",
				async run(stage) {
					await stage.start({ script: { delayMs: 300 } });
					await stage.send("slow", "a", "b");
					await stage.arrived("slow", 2);
					expect(stage.events("slow").some(({ status }) => status === undefined)).toBe(true);
					expect(await stage.binding.stop()).toBe(true);
					expect(stage.events("slow").map(({ status }) => status)).toEqual([200, 200]);
					await stage.restart({ script: {} });
					await stage.settled();
					expect(stage.events("slow")).toEqual([]);
				},
			},
			{
				name: "does not wait for ever: what the app still has comes again, what it accepted behind that does not",
				async run(stage) {
					await stage.start({ script: { rules: [{ payloads: ["stuck"], end: "hang" }] } });
					await stage.send("stuck", "stuck", "a", "b");
					await stage.accepted("stuck", 2);
					expect(await stage.binding.stop()).toBe(false);
					await stage.restart({ script: {} });
					await stage.accepted("stuck", 1);
					await stage.settled();
					expect(texts(stage.events("stuck"))).toEqual(["stuck"]);
				},
			},
			{
				name: "hands nothing more over: what waited comes again, in order",
				async run(stage) {
					await stage.start({ maxInFlight: 1, script: { delayMs: 200 } });
					await stage.send("waiting", ..."abcd");
					await stage.arrived("waiting", 1);
					expect(await stage.binding.stop()).toBe(true);
					expect(texts(stage.events("waiting"))).toEqual(["a"]);
					await stage.restart({ script: {} });
					expect(texts(await stage.accepted("waiting", 3))).toEqual([..."bcd"]);
				},
			},
			{
				name: "does not wait for what is to be tried again, nor gives it up",
				async run(stage) {
					const script = { rules: [{ payloads: ["refused"], status: 500 }] };
					await stage.start({ script, backOffMaxRetries: -1, backOffIntervalMs: 60_000, onRetriesExhausted: "drop" });
					await stage.send("between", "refused", "a");
					await stage.accepted("between", 1);
					const before = performance.now();
					expect(await stage.binding.stop()).toBe(true);
					expect(performance.now() - before).toBeLessThan(5_000);
					await stage.restart({ script: {} });
					expect(texts(await stage.accepted("between", 1))).toEqual(["refused"]);
				},
			},
			{
				name: "with drop, what the app still has when the time is over is not dropped",
				async run(stage) {
					await stage.start({ script: { rules: [{ payloads: ["stuck"], end: "hang" }] }, onRetriesExhausted: "drop" });
					await stage.send("stuck", "stuck");
					await stage.arrived("stuck", 1);
					expect(await stage.binding.stop()).toBe(false);
					await stage.restart({ script: {} });
					expect(texts(await stage.accepted("stuck", 1))).toEqual(["stuck"]);
				},
			},
		],
	},
	{
		name: "cleanSession: true",
		cases: [
			{
				name: "what was not accepted does not come again to the next start",
				async run(stage) {
					await stage.start({ cleanSession: true, script: { rules: [{ payloads: ["stuck"], end: "hang" }] } });
					await stage.send("gone", "stuck");
					await stage.arrived("gone", 1);
					expect(await stage.binding.stop()).toBe(false);
					await stage.restart({ script: {} });
					await stage.settled();
					expect(stage.events("gone")).toEqual([]);
				},
			},
		],
	},
];
