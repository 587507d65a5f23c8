import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { startBroker } from "../../../src/broker/broker.js";
import { startProgram } from "../../support/process.js";
import { tempFolder } from "../../support/temp-folder.js";

const DIST = join(import.meta.dirname, "../../../dist");

/** Writes the URL of every module that is loaded. */
const SPY = `
import { writeSync } from "node:fs";
export async function load(url, context, nextLoad) {
	writeSync(1, "loaded " + url + "\\n");
	return nextLoad(url, context);
}
`;

/** Runs a module in a process of its own; resolves with its exit code, what it wrote, and the modules that it loaded. */
async function run(source: string): Promise<{ code: number | null; output: string[]; loaded: string[] }> {
	await using folder = await tempFolder({ "spy.mjs": SPY, "main.mjs": source });
	const args = ["--no-warnings", "--experimental-loader", `${folder.path}/spy.mjs`, `${folder.path}/main.mjs`];
	const program = startProgram(process.execPath, args, { name: "library user" });
	const { code } = await program.exited;
	const loaded = program.output
		.filter((line) => line.startsWith("loaded "))
		.map((line) => line.slice("loaded ".length))
		.filter((url) => !url.endsWith("/main.mjs"))
		.map((url) => (url.startsWith("file:") ? relative(DIST, fileURLToPath(url)) : url));
	return { code, loaded, output: program.output.filter((line) => !line.startsWith("loaded ")) };
}

describe("loading the library", () => {
	it("pulls in nothing but its own bindings and client, and Node", async () => {
		const { code, loaded, output } = await run(
			`import * as library from ${JSON.stringify(join(DIST, "index.js"))}; console.log(typeof library.createBinding);`,
		);
		expect([code, output]).toEqual([0, ["function"]]);
		expect(loaded).toContain("index.js");
		expect(loaded).toContain("mqtt/client.js");
		expect(loaded.filter((url) => !/^(node:|index\.js$|errors\.js$|(bindings|mqtt)\/)/.test(url))).toEqual([]);
	});

	it("does nothing: the process ends by itself", async () => {
		const { code } = await run(`import ${JSON.stringify(join(DIST, "index.js"))};`);
		expect(code).toBe(0);
	});

	it("ws is loaded for a ws: URL alone; a binding that is closed lets the process end", async () => {
		await using broker = await startBroker({ websocketPort: 0 });
		const packagesFor = async (url: string) => {
			const { code, loaded, output } = await run(`
				import { createBinding } from ${JSON.stringify(join(DIST, "index.js"))};
				const binding = createBinding({ url: ${JSON.stringify(url)}, topic: "t", clientId: "c" });
				await binding.ready();
				console.log(await binding.close());
			`);
			expect([code, output]).toEqual([0, ["true"]]);
			return new Set(
				loaded.map((path) => /node_modules\/([^/]+)/.exec(path)?.[1]).filter((name) => name !== undefined),
			);
		};
		expect(await packagesFor(broker.url)).toEqual(new Set());
		expect(await packagesFor(broker.websocketUrl!)).toEqual(new Set(["ws"]));
	});
});
