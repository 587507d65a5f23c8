import { expect } from "vitest";
import { eventually } from "../../support/eventually.js";
import type { CaseGroup } from "../case.js";
import { texts } from "../stage.js";

/** Which halves of a binding work, over which connections. */
export const directions: readonly CaseGroup[] = [
	{
		name: "direction: output",
		options: { direction: ["output"] },
		cases: [
			{
				name: "creates, and gets nothing",
				async run(stage) {
					await stage.send("x", "unheard");
					expect(await stage.binding.create({ data: "1", metadata: { topic: "in/x" } })).toEqual({ kind: "created" });
					expect(stage.binding.events()).toEqual([]);
					expect(await stage.codes()).toEqual([]);
				},
			},
		],
	},
	{
		name: "direction: input",
		options: { direction: ["input"] },
		cases: [
			{
				name: "gets messages, and creates nothing",
				async run(stage) {
					await stage.send("x", "heard");
					expect(texts(await stage.accepted("x", 1))).toEqual(["heard"]);
					const outcome = await stage.binding.create({ data: "1", metadata: { topic: "out/x" } });
					expect(outcome.kind).toBe("not there");
					expect(stage.published).toEqual([]);
				},
			},
		],
	},
	{
		name: "both directions over one connection",
		options: { topic: "in/x" },
		cases: [
			{
				name: "the binding hears what it creates, under the client identifier as given",
				async run(stage) {
					await stage.binding.create({ data: '"echo"' });
					expect(texts(await stage.accepted("x", 1))).toEqual(['"echo"']);
					expect((await stage.publishedTo("in/x")).clientId).toBe(stage.clientId);
				},
			},
		],
	},
	{
		name: "splitConnections",
		options: { splitConnections: true },
		cases: [
			{
				name: "each direction has a connection of its own name",
				async run(stage) {
					expect(await stage.binding.create({ data: '"out"', metadata: { topic: "in/x" } })).toEqual({
						kind: "created",
					});
					expect((await stage.publishedTo("in/x")).clientId).toBe(`${stage.clientId}-producer`);
					expect(texts(await stage.accepted("x", 1))).toEqual(['"out"']);
				},
			},
			{
				name: "readiness tells of both, and both come back",
				async run(stage) {
					await stage.stopBroker();
					await eventually(async () => {
						expect(await stage.codes()).toEqual(["not-connected", "not-connected"]);
					});
					await stage.startBroker();
					await eventually(async () => expect(await stage.codes()).toEqual([]), { timeoutMs: 10_000 });
					await stage.settled();
				},
			},
		],
	},
];
