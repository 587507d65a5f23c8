import { expect, test } from "vitest";
import { findProgram } from "./find-program.js";
import { leftOutLines, needs, verdictOn } from "./needs.js";

test("what is there runs; what is missing is left out, and fails with CI=true where it is required", () => {
	const found = () => "/usr/bin/it";
	const missing = () => undefined;
	expect(verdictOn(needs.mosquitto, true, found)).toBe("run");
	expect(verdictOn(needs.mosquitto, false, missing)).toBe("leave out");
	expect(verdictOn(needs.mosquitto, true, missing)).toBe("fail");
	expect(verdictOn(needs.daprd, true, missing)).toBe("leave out");
});

test("a program that this user may not use counts as missing", () => {
	const found = () => "/bin/sh";
	const need = { program: "sh", remedy: "be root", required: true };
	expect(verdictOn({ ...need, trial: ["-c", "exit 0"] }, true, found)).toBe("run");
	expect(verdictOn({ ...need, trial: ["-c", "exit 1"] }, true, found)).toBe("fail");
});

test("a program is found by its name, one that does not exist is not", () => {
	expect(findProgram("sh")).toMatch(/\/sh$/);
	expect(findProgram("no-such-program-anywhere")).toBeUndefined();
});

test("one line says for each need what was left out and how to get it", () => {
	const leftOut = [
		{ need: "mosquitto", suite: "restarts" },
		{ need: "mosquitto", suite: "TLS" },
	];
	expect(leftOutLines([])).toEqual([]);
	expect(leftOutLines(leftOut)).toEqual([
		`left out, as mosquitto is missing: "restarts", "TLS"; to run them, ${needs.mosquitto.remedy}`,
	]);
});
