import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { startBroker } from "../../src/broker/broker.js";
import { Daprd } from "../support/daprd.js";
import { eventually } from "../support/eventually.js";
import { type Program, startProgram } from "../support/process.js";
import { compile } from "./compile.js";
import { copyExamples, ROOT } from "./example-folder.js";
import { type CodeBlock, codeBlocks, relativeLinks } from "./markdown.js";

const README = readFileSync(join(ROOT, "README.md"), "utf8");
const BLOCKS = codeBlocks(README);

/** Blocks that a test below ran; whatever is left at the end is a block that nobody tries. */
const tried = new Set<CodeBlock>();

/** The one block that is meant. */
function block(language: string, pattern: RegExp): CodeBlock {
	const [found, ...more] = BLOCKS.filter((each) => each.language === language && pattern.test(each.text));
	expect(found, `a block of ${language} that matches ${pattern}`).toBeDefined();
	expect(more, `more than one block of ${language} that matches ${pattern}`).toEqual([]);
	tried.add(found!);
	return found!;
}

function untilTheEnd(program: Program): Program {
	onTestFinished(() => program[Symbol.asyncDispose]());
	return program;
}

describe("README", () => {
	it("npm start shows what stands there", async () => {
		expect(block("bash", /npm start/).text).toBe("npm ci && npm start\n");
		const shown = block("text", /demo: everything in this process/).text;
		const demo = untilTheEnd(startProgram("npm", ["start", "--silent", "--", "--messages", "3"], { cwd: ROOT }));
		expect(await demo.exited).toEqual({ code: 0, signal: null });
		expect(withoutVariation(`${demo.output.join("\n")}\n`)).toBe(withoutVariation(shown));
	});

	it("the test command is that of package.json", () => {
		expect(block("bash", /npm test/).text).toBe("npm ci && npm test\n");
		expect(readManifest().scripts.test).toMatch(/vitest run$/);
	});

	it("files are shown as they are", () => {
		const shown = BLOCKS.filter(({ file }) => file !== undefined);
		expect(shown.length).toBeGreaterThan(0);
		for (const each of shown) {
			tried.add(each);
			expect(each.text, each.file).toBe(readFileSync(join(ROOT, each.file!), "utf8"));
		}
	});

	it("the sidecar's commands work one after the other", async () => {
		await using folder = await copyExamples();
		expect(README).toContain("`node examples/2-sidecar-and-app/device.js`");
		const device = untilTheEnd(folder.start("node examples/2-sidecar-and-app/device.js"));
		await device.line(/^broker on/);

		const run = block("bash", /mqtt3-binding run/);
		const sidecar = untilTheEnd(folder.start(run.text.trim()));
		await sidecar.line(/^== APP == home\/boiler\/temperature says/);

		const create = curl(folder.translate(block("bash", /bindings\/boiler/).text));
		expect((await fetch(create.url, { method: "POST", body: create.body! })).status).toBe(204);
		await device.line(/^the boiler gets \{"heating":true\}$/);

		const ready = curl(folder.translate(block("bash", /healthz\/ready/).text));
		await eventually(async () => {
			const answer = await fetch(ready.url);
			expect(await answer.json()).toEqual({ status: "ready", reasons: [] });
		});
		expect(await sidecar.stop({ signal: "SIGINT" })).toEqual({ code: 0, signal: null });
		expect(await device.stop({ signal: "SIGINT" })).toEqual({ code: 0, signal: null });
	});

	it("daprd finds the component that its command starts", async () => {
		await using folder = await copyExamples();
		await using broker = await startBroker();
		const { text } = block("bash", /mqtt3-binding component/);
		const component = untilTheEnd(folder.start(`${text.trim()} --socket-folder ${folder.path}`));
		await component.line(/daprd finds it as type bindings\.mqtt3-ts at/);
		const properties = { url: broker.url, topic: "home/#", consumerID: "thermostat" };
		await using daprd = await Daprd.start({ socket: join(folder.path, "mqtt3-ts.sock"), properties });
		await daprd.ping("input");
		await daprd.invoke({ metadata: { topic: "home/boiler" } });
		await eventually(() => expect(daprd.events).toHaveLength(1));
		await daprd.stopReading();
		expect(await component.stop({ signal: "SIGINT" })).toEqual({ code: 0, signal: null });
	});

	it("the library's program compiles and runs", async () => {
		await using folder = await copyExamples();
		const { path } = folder;
		await writeFile(join(path, "program.ts"), block("ts", /createBinding/).text);
		expect(compile(path, ["program.ts"], ["--module", "nodenext", "--rootDir", "."])).toBe("");

		const program = untilTheEnd(startProgram(process.execPath, ["program.js"], { cwd: path }));
		await program.line(/^home\/boiler\/temperature: \{"celsius":57\.6\}$/);
		expect(await program.stop({ signal: "SIGINT" })).toEqual({ code: 0, signal: null });
	});

	it("npm pack is tried in test/package.test.ts", () => {
		expect(block("bash", /npm pack/).text).toBe("npm pack\n");
	});

	it("has no block that no test tries", () => {
		expect(BLOCKS.filter((each) => !tried.has(each)).map(({ line, text }) => `line ${line}: ${text}`)).toEqual([]);
	});
});

describe("documentation", () => {
	const documents = ["", "docs", "docs/decisions", "docs/reference", "examples"].flatMap((folder) =>
		readdirSync(join(ROOT, folder))
			.filter((name) => name.endsWith(".md"))
			.map((name) => join(folder, name)),
	);

	it.each(documents)("%s links to files that exist", (document) => {
		const links = relativeLinks(readFileSync(join(ROOT, document), "utf8"));
		expect(links.filter((link) => !existsSync(join(ROOT, dirname(document), link)))).toEqual([]);
	});

	it.each(documents)("%s names files and commands that exist", (document) => {
		const text = readFileSync(join(ROOT, document), "utf8");
		const files = [...text.matchAll(/`((?:src|test|docs|examples|scripts|bench|demo|\.ci)\/[\w./-]+)`/g)].map(
			([, path]) => path!,
		);
		const sources = [...text.matchAll(/`((?:mqtt|bindings|runtime|api|cli|diagnostics)\/[\w-]+\.ts)`/g)].map(
			([, path]) => `src/${path}`,
		);
		expect([...files, ...sources].filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
		const commands = [...text.matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name!);
		expect(commands.filter((name) => !(name in readManifest().scripts))).toEqual([]);
	});

	it("what is generated is current", () => {
		const { status, stderr } = spawnSync(process.execPath, [join(ROOT, "scripts", "generate.mjs"), "--check"], {
			encoding: "utf8",
		});
		expect(stderr).toBe("");
		expect(status).toBe(0);
	});
});

function readManifest(): { readonly scripts: Readonly<Record<string, string>> } {
	return JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
}

/** Times, and ports that may be taken. */
function withoutVariation(transcript: string): string {
	return transcript
		.replace(/\d\d:\d\d:\d\d\.\d{3}/g, "<time>")
		.replace(/round trip [\d.]+ ms/g, "round trip <duration>")
		.replace(/stopped in \d+ ms/g, "stopped in <duration>")
		.replace(/127\.0\.0\.1:\d+ */g, "127.0.0.1:<port>");
}

function curl(command: string): { readonly url: string; readonly body: string | undefined } {
	const [, url, body] = /^curl (\S+)(?: -d '(.*)')?\n$/.exec(command) ?? [];
	expect(url, command).toBeDefined();
	return { url: url!, body };
}
