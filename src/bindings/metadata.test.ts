import { describe, expect, test } from "vitest";
import type { ComponentMetadata } from "./binding.js";
import type { Fields } from "./field.js";
import { formatProperties, MetadataReader, redact, renderFieldTable } from "./metadata.js";
import { Problems } from "./problems.js";

const FIELDS = {
	address: { kind: "url", origin: "ours", required: true, meaning: "Where.", example: "tcp://h" },
	count: { kind: "integer", origin: "ours", default: 2, minimum: 1, maximum: 9, meaning: "How many.", example: "3" },
	wait: {
		kind: "duration",
		origin: "ours",
		option: "waitMs",
		default: 5_000,
		minimum: 1_000,
		maximum: 60_000,
		step: 1_000,
		meaning: "How long.",
		example: "5s",
	},
	mode: {
		kind: "choice",
		origin: "ours",
		choices: ["slow", "fast"],
		default: "slow",
		meaning: "This | that.",
		example: "fast",
	},
	key: { kind: "pem", origin: "ours", meaning: "Opens it.", example: "file:key" },
	token: {
		kind: "text",
		origin: "ours",
		secret: true,
		direction: "output",
		maxBytes: 4,
		meaning: "Secret word.",
		example: "x",
	},
	words: { kind: "list", origin: "ours", meaning: "Many.", example: '["a"]' },
	skip: { kind: "statuses", origin: "ours", meaning: "At once.", example: "400,5xx" },
} as const satisfies Fields;

function read(properties: Record<string, string>, place: Partial<ComponentMetadata> = {}) {
	const problems = new Problems();
	const reader = new MetadataReader(FIELDS, { name: "orders", properties, ...place }, problems);
	const values = reader.read(problems);
	return { values, problems: problems.all.map(({ field, reason }) => reader.describe(field, reason)), reader };
}

describe("properties", () => {
	test("become typed values under their option names, without defaults", () => {
		const { values, problems } = read({ count: "3", wait: "7s", mode: "fast", words: '["a","b"]', token: "abc" });
		expect(problems).toEqual([]);
		expect(values).toEqual({ count: 3, waitMs: 7_000, mode: "fast", words: ["a", "b"], token: "abc" });
	});

	test("are found whatever their case", () => {
		expect(read({ COUNT: "3", Wait: "7" }).values).toEqual({ count: 3, waitMs: 7_000 });
	});

	test("in two spellings are an error that names both", () => {
		expect(read({ count: "3", Count: "4" }).problems).toEqual([
			'component "orders": field "count": is given twice, as "count" and as "Count"',
		]);
	});

	test("are named with the place where they were written", () => {
		const place = { source: "orders.yaml:1", sources: { Count: "orders.yaml:12" } };
		expect(read({ Count: "many" }, place).problems).toEqual([
			'component "orders" (orders.yaml:12): field "count": "many" is not an integer: expected a whole number, 1 to 9',
		]);
		expect(read({}, place).reader.describe("address", undefined)).toBe(
			'component "orders" (orders.yaml:1): missing address',
		);
	});

	test("that are wrong are all reported", () => {
		expect(
			read({ count: "0", wait: "1500ms", mode: "faster", words: "a,b", token: "12345", skip: "2xx,404" }).problems,
		).toEqual([
			'component "orders": field "count": "0" is out of range: expected a whole number, 1 to 9',
			'component "orders": field "wait": "1500ms" is out of range: expected 1s to 1m in whole seconds, written as 5s, 1m30s or 250ms; a bare number is seconds',
			'component "orders": field "mode": "faster" is not allowed: expected slow or fast',
			'component "orders": field "token": is 5 bytes long: expected at most 4',
			'component "orders": field "words": "a,b" is not a list: expected a YAML list of texts or its JSON text',
			'component "orders": field "skip": "2xx,404" is not a list of statuses: expected HTTP statuses from 300 on, 3xx, 4xx, 5xx or names of gRPC codes as INVALID_ARGUMENT, with commas between',
		]);
	});

	test("that are unknown are warned about, with the nearest name", () => {
		const { reader, problems } = read({ cuont: "3" }, { sources: { cuont: "orders.yaml:9" } });
		expect(problems).toEqual([]);
		expect(reader.unknownNames()).toEqual([
			'component "orders" (orders.yaml:9): unknown field "cuont" is ignored, the nearest known name is "count"',
		]);
	});

	test("with the names of Object's own members are unknown like any other", () => {
		const properties = JSON.parse('{"__proto__": "a", "constructor": "b", "toString": "c"}') as Record<string, string>;
		const { reader, values, problems } = read(properties, { source: "a.yaml:1", sources: {} });
		expect(values).toEqual({});
		expect(problems).toEqual([]);
		expect(reader.unknownNames().map((line) => line.replace(/ is ignored.*/, ""))).toEqual([
			'component "orders" (a.yaml:1): unknown field "__proto__"',
			'component "orders" (a.yaml:1): unknown field "constructor"',
			'component "orders" (a.yaml:1): unknown field "toString"',
		]);
		expect(Object.keys(redact(FIELDS, properties))).toEqual(["__proto__", "constructor", "toString"]);
	});

	test("of a required field that are empty count as missing", () => {
		expect(read({ address: "" })).toMatchObject({ values: {}, problems: [] });
	});

	test("too long to be shown are cut", () => {
		expect(read({ mode: "x".repeat(10_000) }).problems[0]!.length).toBeLessThan(200);
	});
});

test("typed values are written as properties that read back the same", () => {
	const values = { address: "tcp://h", count: 3, waitMs: 90_000 - 30_000, words: ["a", "b,c"], mode: "fast" } as const;
	const properties = formatProperties(FIELDS, values);
	expect(properties).toEqual({ address: "tcp://h", count: "3", wait: "1m", mode: "fast", words: '["a","b,c"]' });
	expect(read(properties).values).toEqual(values);
});

test("redaction shows what is known to be harmless and nothing else", () => {
	const properties = {
		Address: "tcp://alice:canary@h,ssl://bob:canary@i/",
		count: "3",
		key: "canary",
		TOKEN: "canary",
		tokn: "canary",
	};
	expect(redact(FIELDS, properties)).toEqual({
		Address: "tcp://h:1883,tls://i:8883",
		count: "3",
		key: "<PEM>",
		TOKEN: "<redacted>",
		tokn: "<redacted>",
	});
	expect(redact(FIELDS, { address: "tcp:/alice:canary@h" })).toEqual({ address: "<redacted>" });
});

test("the table of fields is rendered as Markdown", () => {
	const { count, mode, token, skip } = FIELDS;
	expect(renderFieldTable({ count, mode, token, skip })).toBe(
		[
			"| Field | Required | Default | Values | Meaning | Example |",
			"| --- | --- | --- | --- | --- | --- |",
			"| `count` | no | `2` | a whole number, 1 to 9 | How many. | `3` |",
			"| `mode` | no | `slow` | `slow`, `fast` | This \\| that. | `fast` |",
			"| `token` | no |  | text | Secret word. Output only. Secret. | `x` |",
			"| `skip` | no |  | list of statuses | At once. | `400,5xx` |",
			"",
		].join("\n"),
	);
});
