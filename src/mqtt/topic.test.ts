import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
	checkTopicFilter,
	checkTopicName,
	hasWildcards,
	matches,
	overlap,
	parseSharedFilter,
	publishTopicFault,
	stripShare,
	topicFilterFault,
	topicNameFault,
} from "./topic.js";

/** Letters that make every rule matter. */
const level = fc.string({ unit: fc.constantFrom("a", "b", "+", "#", "$", "é", "\0", "\ud800"), maxLength: 2 });
const anyText = fc.array(level, { maxLength: 5 }).map((levels) => levels.join("/"));
const nameLevel = fc.constantFrom("", "a", "b", "$SYS", "é");
const topicName = fc
	.array(nameLevel, { minLength: 1, maxLength: 5 })
	.map((levels) => levels.join("/"))
	.filter(isName);
const filterLevel = fc.oneof(nameLevel, fc.constant("+"));
const topicFilter = fc
	.tuple(fc.array(filterLevel, { maxLength: 5 }), fc.boolean())
	.map(([levels, hash]) => (hash ? [...levels, "#"] : levels).join("/"))
	.filter(isFilter);

function isString(text: string): boolean {
	return (
		text !== "" &&
		!text.includes("\0") &&
		!/\p{Surrogate}/u.test(text) &&
		new TextEncoder().encode(text).length < 65_536
	);
}

function isName(text: string): boolean {
	return isString(text) && !/[+#]/.test(text);
}

function isFilter(text: string): boolean {
	const levels = text.split("/");
	const isLevel = (it: string, index: number) =>
		!/[+#]/.test(it) || it === "+" || (it === "#" && index === levels.length - 1);
	return isString(text) && levels.every(isLevel);
}

/** The standard's chapter 4.7 word by word, level by level. */
function matchesLevels(filter: readonly string[], topic: readonly string[], isFirst = true): boolean {
	const [wanted, ...restWanted] = filter;
	const [level, ...rest] = topic;
	if (wanted === undefined) return level === undefined;
	if (isFirst && level?.startsWith("$") && (wanted === "+" || wanted === "#")) return false;
	if (wanted === "#") return true;
	if (level === undefined) return false;
	return (wanted === "+" || wanted === level) && matchesLevels(restWanted, rest, false);
}

describe("topic names and filters", { timeout: 30_000 }, () => {
	it("P8: a text is accepted as a name exactly when the grammar allows it", () => {
		fc.assert(
			fc.property(anyText, (text) => (checkTopicName(text) === undefined) === isName(text)),
			{ numRuns: 3_000 },
		);
	});

	it("P8: a text is accepted as a filter exactly when the grammar allows it", () => {
		fc.assert(
			fc.property(anyText, (text) => (checkTopicFilter(text) === undefined) === isFilter(text)),
			{
				numRuns: 3_000,
			},
		);
	});

	it("P10: [MQTT-4.7.3-3] the length is counted in UTF-8 bytes, not in characters", () => {
		const unit = fc.constantFrom("a", "é", "温", "😀");
		fc.assert(
			fc.property(unit, fc.integer({ min: 65_520, max: 65_550 }), (character, target) => {
				const size = Buffer.byteLength(character);
				const text = character.repeat(Math.floor(target / size)) + "x".repeat(target % size);
				const isAccepted = target <= 65_535;
				expect(Buffer.byteLength(text)).toBe(target);
				expect(checkTopicName(text) === undefined).toBe(isAccepted);
				expect(checkTopicFilter(text) === undefined).toBe(isAccepted);
			}),
		);
	});

	it.each([
		["[MQTT-4.7.3-1] the empty name", "", "MQTT-4.7.3-1"],
		["[MQTT-4.7.3-2] U+0000", "a\0b", "MQTT-1.5.3-2"],
		["[MQTT-4.7.3-3] 65,536 bytes", "a".repeat(65_536), "MQTT-4.7.3-3"],
		["[MQTT-1.5.3-1] a high surrogate alone", "a\ud800", "MQTT-1.5.3-1"],
		["[MQTT-1.5.3-1] a low surrogate alone", "\udc00a", "MQTT-1.5.3-1"],
		["[MQTT-1.5.3-1] a surrogate pair the wrong way round", "\udc00\ud800", "MQTT-1.5.3-1"],
	])("%s is neither name nor filter", (_, text, clause) => {
		expect(topicNameFault(text)?.clause).toBe(clause);
		expect(topicFilterFault(text)?.clause).toBe(clause);
	});

	it.each(["+", "#", "a/+", "a/#", "a+b", "#a"])("[MQTT-4.7.1-1] the wildcard in %s makes it no topic name", (text) => {
		expect(topicNameFault(text)?.clause).toBe("MQTT-4.7.1-1");
		expect(checkTopicName(text)).toBe("holds a wildcard, + or #");
		expect(hasWildcards(text)).toBe(true);
	});

	it("[MQTT-3.3.2-2] the same wildcard is forbidden by PUBLISH's own statement", () => {
		expect(publishTopicFault("a/+")?.clause).toBe("MQTT-3.3.2-2");
		expect(publishTopicFault("")?.clause).toBe("MQTT-4.7.3-1");
		expect(publishTopicFault("a")).toBeUndefined();
	});

	it.each(["a/#/b", "a#", "#a", "##", "#/", "a/b#"])("[MQTT-4.7.1-2] %s is no filter", (text) => {
		expect(topicFilterFault(text)?.clause).toBe("MQTT-4.7.1-2");
	});

	it.each(["a+", "+a", "a/b+/c", "++", "+/a+"])("[MQTT-4.7.1-3] %s is no filter", (text) => {
		expect(topicFilterFault(text)?.clause).toBe("MQTT-4.7.1-3");
	});

	it.each(["#", "+", "/", "//", "+/+", "/+", "+/", "a/+/b/#", "$SYS/#", " ", "a\r\nb", "温度/😀", "\ufeff", "\uffff"])(
		"%j is a filter",
		(text) => expect(checkTopicFilter(text)).toBeUndefined(),
	);
});

describe("shared subscriptions", () => {
	it("[MQTT-7.0.0-2] $share/<group>/<filter> is taken apart, and any other filter is left as it is", () => {
		expect(parseSharedFilter("$share/workers/a/+/#")).toEqual({ group: "workers", filter: "a/+/#" });
		expect(stripShare("$share/workers/a/+/#")).toBe("a/+/#");
		expect(stripShare("$share/workers//a")).toBe("/a");
		for (const filter of ["a/b", "$share", "$SHARE/g/a", "$shared/g/a", "x/$share/g/a"]) {
			expect(parseSharedFilter(filter)).toBeUndefined();
			expect(stripShare(filter)).toBe(filter);
			expect(checkTopicFilter(filter)).toBeUndefined();
		}
	});

	it.each(["$share/", "$share//", "$share//a", "$share/g", "$share/g/", "$share/+/a", "$share/#"])(
		"%s has no group or no filter",
		(filter) => {
			expect(parseSharedFilter(filter)).toBeUndefined();
			expect(checkTopicFilter(filter)).toBe(
				"is no shared subscription, $share/<group>/<filter> with a group without + and #",
			);
		},
	);

	it.each(["$share/a+/b", "$share/g#/b", "$share/g/b#", "$share/g/#/b"])(
		"%s has a wildcard in a wrong place",
		(filter) => {
			expect(checkTopicFilter(filter)).toBeDefined();
		},
	);
});

describe("overlapping filters", { timeout: 30_000 }, () => {
	it.each<[string, string, boolean]>([
		["a/b", "a/b", true],
		["a/+", "+/b", true],
		["a/#", "a", true],
		["#", "a/b/c", true],
		["a/#", "b/#", false],
		["a/+", "a", false],
		["a/+/c", "a/b/#", true],
		["a/b", "a/b/c", false],
		["#", "$SYS/#", false],
		["$SYS/+", "+/uptime", false],
		["$SYS/+", "$SYS/uptime", true],
		["+", "/", false],
	])("%s and %s: %s, either way round", (one, other, expected) => {
		expect([overlap(one, other), overlap(other, one)]).toEqual([expected, expected]);
	});

	it("agree with matches(): a filter overlaps a name exactly when it matches it", () => {
		const level = fc.constantFrom("a", "b", "", "+");
		const filter = fc
			.tuple(fc.array(level, { minLength: 1, maxLength: 4 }), fc.boolean())
			.map(([levels, isOpen]) => [...levels, ...(isOpen ? ["#"] : [])].join("/"))
			.filter((text) => text !== "");
		const name = fc
			.array(fc.constantFrom("a", "b", "", "$x"), { minLength: 1, maxLength: 4 })
			.map((levels) => levels.join("/"))
			.filter((text) => text !== "");
		fc.assert(fc.property(filter, name, (one, topic) => overlap(one, topic) === matches(one, topic)));
	});
});

describe("matching", { timeout: 30_000 }, () => {
	it("P7: agrees with a matcher that goes level by level", () => {
		fc.assert(
			fc.property(topicFilter, topicName, (filter, topic) => {
				expect(matches(filter, topic)).toBe(matchesLevels(filter.split("/"), topic.split("/")));
			}),
			{ numRuns: 10_000 },
		);
	});

	it("P7: every topic matches itself, # (but for $ topics) and itself with levels replaced by +", () => {
		fc.assert(
			fc.property(topicName, fc.infiniteStream(fc.boolean()), (topic, coins) => {
				expect(matches(topic, topic)).toBe(true);
				expect(matches("#", topic)).toBe(!topic.startsWith("$"));
				const levels = topic
					.split("/")
					.map((it, index) => (coins.next().value && !(index === 0 && it.startsWith("$")) ? "+" : it));
				expect(matches(levels.join("/"), topic)).toBe(true);
				expect(matches(`${topic}/#`, topic)).toBe(true);
			}),
		);
	});

	it.each([
		["a/#", "a", true],
		["a/#", "ab", false],
		["a/+", "a", false],
		["a/+", "a/", true],
		["+", "/a", false],
		["+/+", "/a", true],
		["/+", "/a", true],
		["a/+/c", "a/b/c", true],
		["a/+/c", "a/b/c/d", false],
		["+/#", "a", true],
		["A", "a", false],
	])("[MQTT-4.7.3-4] filter %s, topic %s: %s", (filter, topic, expected) => {
		expect(matches(filter, topic)).toBe(expected);
	});

	it.each([
		["#", "$SYS/a", false],
		["+/a", "$SYS/a", false],
		["$SYS/#", "$SYS/a", true],
		["$SYS/+", "$SYS/a", true],
		["a/#", "a/$SYS", true],
		["+/+", "a/$SYS", true],
	])("[MQTT-4.7.2-1] filter %s, topic %s: %s", (filter, topic, expected) => {
		expect(matches(filter, topic)).toBe(expected);
	});

	it("T25: 65,535 slashes are validated and matched in one pass", () => {
		const slashes = "/".repeat(65_535);
		const wildcards = `${"+/".repeat(32_767)}#`;
		const started = performance.now();
		for (let i = 0; i < 20; i++) {
			expect(checkTopicName(slashes)).toBeUndefined();
			expect(checkTopicFilter(slashes)).toBeUndefined();
			expect(checkTopicFilter(wildcards)).toBeUndefined();
			expect(matches(slashes, slashes)).toBe(true);
			expect(matches(wildcards, slashes)).toBe(true);
			expect(matches(`${"/".repeat(65_533)}a/`, slashes)).toBe(false);
		}
		// Some 10 ms; a matcher that tries again for each level needs minutes.
		expect(performance.now() - started).toBeLessThan(5_000);
	});
});
