import { describe, expect, it } from "vitest";
import { DemoOutput } from "./demo-output.js";

const NOON = () => new Date(2026, 0, 1, 12, 0, 1, 7);

function show(
	print: (output: DemoOutput) => void,
	terminal: { isTTY?: boolean; hasColors?: () => boolean } = {},
): string {
	let text = "";
	print(
		new DemoOutput(
			{
				...terminal,
				write: (chunk) => {
					text += chunk;
				},
			},
			NOON,
		),
	);
	return text;
}

const oneHop = (output: DemoOutput) => output.hop("broker → device", "home/boiler/command", "{}", "3 ms");

describe("DemoOutput", () => {
	it("hops stand in columns", () => {
		const text = show((output) => {
			output.hop("device → broker", "home/boiler/temperature", "{}");
			output.hop("broker → sidecar → app", "POST /boiler", "{}");
			oneHop(output);
		});
		expect(text).toBe(
			[
				"12:00:01.007  device → broker         home/boiler/temperature   {}",
				"12:00:01.007  broker → sidecar → app  POST /boiler              {}",
				"12:00:01.007  broker → device         home/boiler/command       {}  3 ms",
				"",
			].join("\n"),
		);
	});

	it("a terminal with colours gets colours", () => {
		expect(show(oneHop, { isTTY: true, hasColors: () => true })).toContain("\u001b[35mbroker → device");
	});

	it.each([
		["a terminal without (NO_COLOR)", { isTTY: true, hasColors: () => false }],
		["a file or pipe", {}],
	])("%s gets none", (_name, terminal) => {
		expect(show(oneHop, terminal)).not.toContain("\u001b");
	});

	it("what strangers send can't steer the terminal or flood it", () => {
		const text = show((output) => output.hop("broker → device", "t", `\u001b[2J\r\n\u009b${"x".repeat(500)}`));
		expect(text).toContain("\\u001b[2J\\r\\n?xxx");
		expect(text).toMatch(/x…\n$/);
		expect(text.length).toBeLessThan(250);
	});
});
