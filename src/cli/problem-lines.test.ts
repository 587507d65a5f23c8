import { describe, expect, it } from "vitest";
import { ConfigurationError, SecretError } from "../errors.js";
import { problemLines } from "./problem-lines.js";

describe("problemLines", () => {
	it("each problem is a line, however deep it lies and however many a message holds", () => {
		const error = new AggregateError([
			new ConfigurationError("one"),
			new AggregateError([new SecretError("two", { store: "s" }), new ConfigurationError("three\nfour")]),
		]);
		expect(problemLines(error)).toEqual(["error: one", "error: two", "error: three", "error: four"]);
		expect(problemLines(new ConfigurationError("alone"))).toEqual(["error: alone"]);
	});

	it("a bug among them is not taken for a problem of the configuration", () => {
		expect(problemLines(new AggregateError([new ConfigurationError("one"), new TypeError("bug")]))).toBeUndefined();
		expect(problemLines(new TypeError("bug"))).toBeUndefined();
		expect(problemLines("text")).toBeUndefined();
	});
});
