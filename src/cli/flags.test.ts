import { describe, expect, it } from "vitest";
import { type Flag, readFlags } from "./flags.js";

const FLAGS: readonly Flag[] = [
	{ name: "app-id", value: "ID" },
	{ name: "app-port", value: "PORT" },
	{ name: "resources-path", value: "DIR" },
	{ name: "wait" },
];

function read(...argv: string[]) {
	const { values, command, problems } = readFlags(argv, FLAGS);
	return { values: Object.fromEntries(values), command, problems: problems.map((problem) => problem.message) };
}

describe("readFlags", () => {
	it.each([
		{ argv: ["--app-id", "shop"], values: { "app-id": ["shop"] } },
		{ argv: ["--app-id=shop"], values: { "app-id": ["shop"] } },
		{ argv: ["-app-id", "shop"], values: { "app-id": ["shop"] } },
		{ argv: ["-app-id=a=b"], values: { "app-id": ["a=b"] } },
		{ argv: ["--app-id="], values: { "app-id": [""] } },
		{ argv: ["--app-port", "-1"], values: { "app-port": ["-1"] } },
		{ argv: ["--resources-path", "a", "--resources-path=b"], values: { "resources-path": ["a", "b"] } },
		{ argv: ["--wait"], values: { wait: ["true"] } },
		{ argv: ["--wait=false"], values: { wait: ["false"] } },
		{ argv: ["--wait", "--app-id", "shop"], values: { wait: ["true"], "app-id": ["shop"] } },
	])("$argv is read as Go's flags are", ({ argv, values }) => {
		expect(read(...argv)).toEqual({ values, command: undefined, problems: [] });
	});

	it("what stands after -- is the app's command, untouched", () => {
		expect(read("--wait", "--", "node", "app.js", "--app-id", "--", "x").command).toEqual([
			"node",
			"app.js",
			"--app-id",
			"--",
			"x",
		]);
		expect(read("--").command).toEqual([]);
	});

	it.each([
		{ argv: ["--foo"], problem: "unknown flag --foo" },
		{ argv: ["--app-prot", "3000"], problem: "unknown flag --app-prot; did you mean --app-port?" },
		{ argv: ["--app-id"], problem: "--app-id needs a value: --app-id ID" },
		{ argv: ["--app-id", "--wait"], problem: "--app-id needs a value: --app-id ID" },
		{ argv: ["--wait", "false"], problem: 'unexpected argument "false": a boolean is written --flag=false' },
		{ argv: ["node"], problem: 'unexpected argument "node": the app\'s command stands after --' },
		{ argv: ["-"], problem: 'unexpected argument "-": the app\'s command stands after --' },
	])("$argv is a problem that says what to write", ({ argv, problem }) => {
		expect(read(...argv).problems).toEqual([problem]);
	});

	it("every problem is listed, not the first alone", () => {
		expect(read("--app-idd", "x", "--waitt", "--app-port").problems).toHaveLength(3);
	});

	it("names of Object.prototype are no flags", () => {
		expect(read("--constructor", "--__proto__=1").problems).toHaveLength(2);
	});
});
