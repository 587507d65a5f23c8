import { describe, expect, it } from "vitest";
import { StrayTopics } from "./stray-topics.js";

describe("a topic", () => {
	it.each([
		["a/+/c", "a/b/c", undefined],
		["a/#", "a", undefined],
		["$share/group/a/#", "a/b", undefined],
		["a", "b", "new"],
		["a/+", "a/b/c", "new"],
		["#", "$SYS/uptime", "new"],
		["$share/group/a", "$share/group/a", "new"],
	])("is ours or not: filter %s, topic %s: %s", (filter, topic, expected) => {
		expect(new StrayTopics([filter]).check(topic)).toBe(expected);
	});

	it("is ours when any of the filters matches, each time", () => {
		const strays = new StrayTopics(["a", "b/#"]);
		expect(["a", "b/c", "b/c", "c", "a"].map((topic) => strays.check(topic))).toEqual([
			undefined,
			undefined,
			undefined,
			"new",
			undefined,
		]);
	});

	it("is ours beyond the topics that are kept, and when it is long", () => {
		const strays = new StrayTopics(["t/#"]);
		for (let i = 0; i < 10_000; i++) strays.check(`t/${i}`);
		expect([strays.check("t/0"), strays.check(`t/${"x".repeat(60_000)}`), strays.count]).toEqual([
			undefined,
			undefined,
			0,
		]);
	});
});

describe("topics that match none of our filters", () => {
	it("are news once each for the first 20, and counted from then on", () => {
		const strays = new StrayTopics(["a"]);
		expect([strays.check("stray/0"), strays.check("stray/0")]).toEqual(["new", "more"]);
		const answers = Array.from({ length: 29 }, (_, index) => strays.check(`stray/${index + 1}`));
		expect(answers).toEqual([...Array(19).fill("new"), ...Array(10).fill("more")]);
		expect([strays.check("stray/0"), strays.count]).toEqual(["more", 32]);
	});
});
