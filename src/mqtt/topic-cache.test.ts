import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { MqttProtocolError } from "../errors.js";
import { TopicCache } from "./topic-cache.js";

function read(cache: TopicCache, topic: string | Uint8Array): string {
	const bytes = Buffer.from(topic as string);
	const source = Buffer.concat([Buffer.from("before"), bytes, Buffer.from("behind")]);
	return cache.read(source, 6, 6 + bytes.length);
}

describe("topic cache", () => {
	it("gives back what was read, whatever was read before", () => {
		const cache = new TopicCache();
		const topic = fc.string({ unit: fc.constantFrom("a", "b", "/", "温", "😀"), minLength: 1, maxLength: 150 });
		fc.assert(
			fc.property(topic, (text) => read(cache, text) === text),
			{ numRuns: 2_000 },
		);
	});

	it("tells thousands of topics apart that share its slots, again and again", () => {
		const cache = new TopicCache();
		for (let round = 0; round < 3; round++) {
			for (let i = 0; i < 5_000; i++) expect(read(cache, `device/${i}/state`)).toBe(`device/${i}/state`);
		}
	});

	it("decodes a topic once as long as it keeps it", () => {
		const cache = new TopicCache();
		const source = Buffer.from("a/b");
		const decoding = vi.spyOn(source, "toString");
		for (let i = 0; i < 3; i++) expect(cache.read(source, 0, source.length)).toBe("a/b");
		expect(decoding).toHaveBeenCalledTimes(1);
	});

	it("keeps a topic that is too long for a slot out of the slot behind it", () => {
		const cache = new TopicCache();
		const name = (i: number) => `device/${i}/state`;
		for (let i = 10_000; i < 20_000; i++) read(cache, name(i));
		for (let i = 20_000; i < 40_000; i++) {
			read(cache, String(i * 7).padStart(128, "x") + name(i));
			expect(read(cache, name(i))).toBe(name(i));
		}
	});

	it("tells a topic from its own beginning and from one that differs in one byte", () => {
		const cache = new TopicCache();
		for (const topic of ["a", "aa", "aaa", "aab", "aba", "baa", "aaa", "a"]) expect(read(cache, topic)).toBe(topic);
	});

	it("keeps no reference to the memory it read from", () => {
		const cache = new TopicCache();
		const source = Buffer.from("topic/one");
		expect(cache.read(source, 0, source.length)).toBe("topic/one");
		source.fill("x");
		expect(read(cache, "topic/one")).toBe("topic/one");
		expect(cache.read(source, 0, source.length)).toBe("xxxxxxxxx");
	});

	it.each([127, 128, 129, 65_535])("reads a topic of %i bytes twice", (length) => {
		const cache = new TopicCache();
		const topic = "x".repeat(length);
		expect(read(cache, topic)).toBe(topic);
		expect(read(cache, topic)).toBe(topic);
	});

	it.each([
		["[MQTT-4.7.3-1]", Buffer.alloc(0)],
		["[MQTT-1.5.3-2]", Buffer.from("a\0")],
		["[MQTT-1.5.3-1]", Buffer.of(0x61, 0xff)],
		["[MQTT-3.3.2-2]", Buffer.from("a/+")],
	])("%s an invalid topic is refused each time", (clause, bytes) => {
		const cache = new TopicCache();
		for (let i = 0; i < 2; i++) {
			expect(() => read(cache, bytes)).toThrow(MqttProtocolError);
			expect(() => read(cache, bytes)).toThrow(clause);
		}
	});
});
