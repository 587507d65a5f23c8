import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EventHeaders, percentEncode, topicHeaders } from "./event-headers.js";

const visibleAscii = /^[!-~]*$/;

function asRecord(headers: readonly string[]): Record<string, string> {
	const record: Record<string, string> = {};
	for (let index = 0; index < headers.length; index += 2) record[headers[index]!] = headers[index + 1]!;
	return record;
}

function eventWith(metadata: Record<string, string>, contentType = "application/json") {
	return { contentType, metadata };
}

describe("topic headers", () => {
	test("a topic of visible ASCII is sent as it is, alone", () => {
		expect(topicHeaders("a/b%20~!")).toEqual({ topic: "a/b%20~!" });
	});

	test("another topic is sent as its UTF-8 bytes and percent-encoded beside", () => {
		const { topic, percent } = topicHeaders("haus/größe 😀");
		expect(Buffer.from(topic, "latin1").toString()).toBe("haus/größe 😀");
		expect(percent).toBe("haus/gr%C3%B6%C3%9Fe%20%F0%9F%98%80");
	});

	test.each(["a\r\nx-evil: 1", "a\tb", "a\u0001b", "a\u007fb", "ö\n"])(
		"control characters never stand in a header: %j",
		(topic) => {
			const headers = topicHeaders(topic);
			expect(headers.topic).toMatch(visibleAscii);
			expect(headers.topic).toBe(headers.percent);
			expect(decodeURIComponent(headers.topic)).toBe(topic);
		},
	);

	test("P9: topic-percent decodes to the topic and is visible ASCII, for every well-formed string", () => {
		fc.assert(
			fc.property(fc.string({ unit: "binary" }), (topic) => {
				const encoded = percentEncode(topic);
				expect(encoded).toMatch(visibleAscii);
				expect(decodeURIComponent(encoded)).toBe(topic);
			}),
			{ numRuns: 2_000 },
		);
	});

	test("P9: topic is always a valid header value, and right by itself where topic-percent is absent", () => {
		fc.assert(
			fc.property(fc.string({ unit: "binary" }), (text) => {
				const { topic, percent } = topicHeaders(text);
				expect(topic).toMatch(/^[ -~\x80-\xff]*$/);
				expect(percent === undefined ? topic : decodeURIComponent(percent)).toBe(text);
			}),
			{ numRuns: 2_000 },
		);
	});

	test("an ill-formed topic throws nothing", () => {
		expect(topicHeaders("a\ud800").percent).toBe("a%EF%BF%BD");
	});
});

describe("event headers", () => {
	test("hold content type, topic, token and the metadata of the allow-list, and nothing else", () => {
		const metadata = {
			topic: "t",
			retained: "true",
			duplicate: "true",
			qos: "2",
			attempt: "3",
			"x-other": "no",
			host: "evil",
		};
		expect(asRecord(new EventHeaders("secret").of(eventWith(metadata, "text/plain")))).toEqual({
			"content-type": "text/plain",
			topic: "t",
			"dapr-api-token": "secret",
			retained: "true",
			duplicate: "true",
			qos: "2",
			attempt: "3",
		});
	});

	test("are made once for a topic and a content type", () => {
		const headers = new EventHeaders();
		const first = headers.of(eventWith({ topic: "t" }));
		expect(headers.of(eventWith({ topic: "t" }))).toBe(first);
		expect(asRecord(headers.of(eventWith({ topic: "t" }, "text/plain")))["content-type"]).toBe("text/plain");
	});

	test("of one event never show up on another of the same topic", () => {
		const headers = new EventHeaders();
		headers.of(eventWith({ topic: "t", retained: "true" }));
		expect(asRecord(headers.of(eventWith({ topic: "t" })))).not.toHaveProperty("retained");
	});

	test("are right for more topics than are kept", () => {
		const headers = new EventHeaders();
		for (let round = 0; round < 2; round++) {
			for (let index = 0; index < 3_000; index++) {
				expect(headers.of(eventWith({ topic: `t/${index}` }))[3]).toBe(`t/${index}`);
			}
		}
	});

	test("a content type with control characters can't split the headers", () => {
		expect(new EventHeaders().of(eventWith({}, "a\r\nb: c"))[1]).toMatch(visibleAscii);
	});
});
