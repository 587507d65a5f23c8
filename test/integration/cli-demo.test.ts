import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { startProgram } from "../support/process.js";

const MAIN = join(import.meta.dirname, "../../dist/cli/main.js");
const STEPS = ["device → broker", "broker → sidecar → app", "app → sidecar → broker", "broker → device"];

function startDemo(...args: string[]) {
	const program = startProgram(process.execPath, [MAIN, "demo", ...args], { name: "demo" });
	onTestFinished(() => program[Symbol.asyncDispose]());
	return program;
}

/** Takes a port, unless somebody has it already. */
async function occupy(port: number): Promise<void> {
	const server = createServer().listen(port, "127.0.0.1");
	server.on("error", () => {});
	onTestFinished(() => void server.close());
	await Promise.race([once(server, "listening"), once(server, "error")]).catch(() => {});
	void (server.address() as AddressInfo | null);
}

describe("mqtt3-binding demo", () => {
	it("--messages 3 shows three round trips, step by step, and ends with exit code 0", async () => {
		const demo = startDemo("--messages", "3", "--interval", "50ms");
		expect((await demo.exited).code).toBe(0);
		const steps = demo.output.flatMap((line) => /^[\d:.]{12} {2}(\S.*?\S) {2,}/.exec(line)?.[1] ?? []);
		for (const step of STEPS) expect(steps.filter((each) => each === step).length).toBeGreaterThanOrEqual(3);
		expect(steps.slice(0, 4)).toEqual(STEPS);
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

	it("a wrong flag is named", async () => {
		const demo = startDemo("--message", "5");
		expect((await demo.exited).code).toBe(1);
		expect(demo.output).toEqual(["error: unknown flag --message; did you mean --messages?"]);
	});
});
