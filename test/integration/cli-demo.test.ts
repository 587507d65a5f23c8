import { once } from "node:events";
import { cp, readFile, realpath, symlink } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { startProgram } from "../support/process.js";
import { tempFolder } from "../support/temp-folder.js";

const ROOT = join(import.meta.dirname, "../..");
const STEPS = ["device → broker", "broker → sidecar → app", "app → sidecar → broker", "broker → device"];

function startDemo(...args: string[]) {
	return startDemoFrom(ROOT, ...args);
}

function startDemoFrom(root: string, ...args: string[]) {
	const program = startProgram(process.execPath, [join(root, "dist/cli/main.js"), "demo", ...args], { name: "demo" });
	onTestFinished(() => program[Symbol.asyncDispose]());
	return program;
}

/** A copy of the package whose component file somebody edited. */
async function editedPackage(edit: (component: string) => string): Promise<string> {
	const file = "demo/components/boiler.yaml";
	const folder = await tempFolder({ [file]: edit(await readFile(join(ROOT, file), "utf8")) });
	onTestFinished(() => folder[Symbol.asyncDispose]());
	await cp(join(ROOT, "dist"), join(folder.path, "dist"), { recursive: true });
	await cp(join(ROOT, "package.json"), join(folder.path, "package.json"));
	await symlink(await realpath(join(ROOT, "node_modules")), join(folder.path, "node_modules"));
	return folder.path;
}

/** Takes a port, unless somebody has it already. */
async function occupy(port: number): Promise<void> {
	const server = createServer().listen(port, "127.0.0.1");
	server.on("error", () => {});
	onTestFinished(() => void server.close());
	await Promise.race([once(server, "listening"), once(server, "error")]).catch(() => {});
}

describe("mqtt3-binding demo", () => {
	it("--messages 3 shows three round trips, step by step, and ends with exit code 0", async () => {
		const demo = startDemo("--messages", "3", "--interval", "50ms");
		expect((await demo.exited).code).toBe(0);
		for (const number of [1, 2, 3]) {
			const lines = demo.output.filter((line) => line.includes(`"reading":${number},`));
			expect(lines.map((line) => /^[\d:.]{12} {2}(\S.*?\S) {2,}/.exec(line)?.[1])).toEqual(STEPS);
		}
		expect(demo.output.at(-1)).toMatch(
			/^\d readings published, \d at the app, 3 commands back at the device; stopped in \d+ ms$/,
		);
		expect(demo.output.join("\n")).not.toContain("\u001b");
	});

	it("it works on free ports when the usual ones are taken", async () => {
		for (const port of [1883, 3000, 3500]) await occupy(port);
		const demo = startDemo("--messages", "1");
		expect((await demo.exited).code).toBe(0);
		const text = demo.output.join("\n");
		for (const port of [1883, 3000, 3500]) expect(text).not.toContain(`127.0.0.1:${port} `);
	});

	it("the curl that it shows works, and Ctrl-C ends it cleanly", async () => {
		const demo = startDemo("--interval", "1h");
		const [, url, body] = await demo.line(/^ {2}curl (\S+) -d '(.*)'$/);
		await demo.line(/broker → device/);
		expect((await fetch(url!, { method: "POST", body: body! })).status).toBe(204);
		await demo.line(/broker → device .*\{"heating":false\}$/);
		expect((await demo.stop({ signal: "SIGINT" })).code).toBe(0);
		expect(demo.output.at(-1)).toMatch(/^1 reading published, 1 at the app, 1 command back at the device; stopped in/);
	});

	it("the sidecar's shutdown API ends it as Ctrl-C does", async () => {
		const demo = startDemo("--interval", "1h");
		const [, url] = await demo.line(/^ {2}curl (http:\/\/[^/]+)\S* -d/);
		await demo.line(/broker → device/);
		expect((await fetch(`${url}/v1.0/shutdown`, { method: "POST" })).status).toBe(204);
		expect((await demo.exited).code).toBe(0);
	});

	it("a component file that was broken is named with the line, and the demo ends with exit code 1", async () => {
		const root = await editedPackage((component) => component.replace('"3"', '"three"'));
		const demo = startDemoFrom(root);
		expect((await demo.exited).code).toBe(1);
		expect(demo.output).toHaveLength(1);
		expect(demo.output[0]).toMatch(/^error: .*boiler\.yaml:21.*backOffMaxRetries.*"three"/);
	});

	it("a component file that reads another topic: --messages gives up with a reason and exit code 1", async () => {
		const root = await editedPackage((component) => component.replace("home/+/temperature", "garden/+/temperature"));
		const demo = startDemoFrom(root, "--messages", "1");
		expect((await demo.exited).code).toBe(1);
		expect(demo.output.join("\n")).toMatch(
			/no round trip for 10 seconds: does .*boiler\.yaml read home\/boiler\/temperature\?/,
		);
	});

	it("a wrong flag is named", async () => {
		const demo = startDemo("--message", "5");
		expect((await demo.exited).code).toBe(1);
		expect(demo.output).toEqual(["error: unknown flag --message; did you mean --messages?"]);
	});
});
