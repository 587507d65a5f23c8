import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { readComponentFolders } from "../../src/runtime/component-loader.js";
import { readManifest } from "../../src/runtime/component-manifest.js";
import { Daprd } from "../support/daprd.js";
import type { Program } from "../support/process.js";
import { copyExamples, type ExampleFolder, ROOT } from "./example-folder.js";
import { codeBlocks, expectedLine } from "./markdown.js";

const EXAMPLES = readdirSync(join(ROOT, "examples"), { withFileTypes: true })
	.filter((entry) => entry.isDirectory())
	.map(({ name }) => name);

describe("examples", () => {
	it("each has a README with its commands, and the output that is expected", () => {
		expect(EXAMPLES.length).toBeGreaterThan(0);
		for (const name of EXAMPLES) {
			for (const file of ["README.md", "expected-output.txt"]) {
				expect(existsSync(join(ROOT, "examples", name, file)), `examples/${name}/${file}`).toBe(true);
			}
		}
	});

	it("find the package in the clone itself, without a link to it", () => {
		const place = join(ROOT, "examples", "1-first-message", "not-there.mjs");
		const script = `import { createRequire } from "node:module"; createRequire(${JSON.stringify(place)}).resolve("mqtt3-binding");`;
		const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
		expect([status, stderr]).toEqual([0, ""]);
	});

	it.each(EXAMPLES)("%s prints what it should, and ends well", async (name) => {
		await using folder = await copyExamples();
		const read = (file: string) => readFile(join(folder.path, "examples", name, file), "utf8");
		const expected = (await read("expected-output.txt")).trimEnd().split("\n");
		const commands = codeBlocks(await readFile(join(ROOT, "examples", name, "README.md"), "utf8"))
			.filter(({ language }) => language === "bash")
			.map(({ text }) => text.trim());
		expect(commands.length).toBeGreaterThan(0);

		const running: Program[] = [];
		onTestFinished(async () => {
			for (const program of running) await program[Symbol.asyncDispose]();
		});
		for (const command of commands) {
			const program = folder.start(command);
			if (!command.startsWith("npx tsc ")) running.push(program);
			else expect([await program.exited, program.output]).toEqual([{ code: 0, signal: null }, []]);
		}
		await using _ = name === "9-beside-daprd" ? await playDaprd(folder, running) : undefined;
		if (running.length === 1) {
			const [program] = running;
			expect(await program!.exited).toEqual({ code: 0, signal: null });
			expect(program!.output).toHaveLength(expected.length);
			for (const [index, line] of expected.entries()) expect(program!.output[index]).toMatch(expectedLine(line));
			return;
		}
		// Several programs go on until somebody stops them, and each line may come from any of them.
		for (const line of expected) {
			await Promise.any(running.map((program) => program.line(expectedLine(line)))).catch((error: AggregateError) => {
				throw new Error(error.errors.map(({ message }) => message).join("\n"));
			});
		}
		for (const program of running.reverse()) {
			expect(await program.stop({ signal: "SIGINT" })).toEqual({ code: 0, signal: null });
		}
	});
});

/** daprd and its app, as far as an example goes that needs them: with the component file as it stands there. */
async function playDaprd(folder: ExampleFolder, running: readonly Program[]): Promise<Daprd> {
	await Promise.any(running.map((program) => program.line(/daprd finds it as type/)));
	const components = join(folder.path, "examples", "9-beside-daprd", "components");
	const { documents } = await readComponentFolders([components], expect.unreachable);
	const manifest = readManifest(documents[0]!);
	if (!("type" in manifest)) throw manifest[0];
	const daprd: Daprd = await Daprd.start({
		socket: join(folder.path, `${manifest.type.replace("bindings.", "")}.sock`),
		component: manifest.name,
		properties: Object.fromEntries(manifest.metadata.map(({ name, value = "" }) => [name, value])),
		app: async () => {
			await daprd.invoke({ metadata: { topic: "home/boiler/command" }, data: Buffer.from('{"heating":true}') });
			return undefined;
		},
	});
	return daprd;
}
