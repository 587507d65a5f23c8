import { PassThrough } from "node:stream";
import { describe, expect, it, onTestFinished } from "vitest";
import { eventually } from "../../test/support/eventually.js";
import { ConfigurationError } from "../errors.js";
import { ChildApp } from "./child-app.js";

/** Starts a Node program as the app; `output` collects what it prints on both streams. */
async function start(program: string, env: Record<string, string> = {}) {
	const output = { text: "" };
	const stream = new PassThrough();
	stream.on("data", (chunk) => {
		output.text += chunk;
	});
	const app = await ChildApp.start({
		command: [process.execPath, "-e", program],
		env: { PATH: process.env.PATH, ...env },
		stdout: { stream },
		stderr: { stream },
	});
	onTestFinished(() => app.kill());
	return { app, output };
}

function isAlive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch {
		return false;
	}
}

const WAIT_FOREVER = "setInterval(() => {}, 1e6);";
const IGNORE_SIGTERM = "process.on('SIGTERM', () => console.log('no'));";

describe("ChildApp", () => {
	it("every line of the app's output is marked, standard error too", async () => {
		const { app, output } = await start(
			"console.log('one\\ntwo'); console.error('three'); process.stdout.write('four')",
		);
		await app.ended;
		await eventually(() =>
			expect(output.text.split("\n").sort()).toEqual([
				"",
				"== APP == four",
				"== APP == one",
				"== APP == three",
				"== APP == two",
			]),
		);
	});

	it("a reader that is slow holds the app's output back, and one that is gone does not", async () => {
		const slow = new PassThrough({ highWaterMark: 1 });
		const command = [process.execPath, "-e", "for (let n = 0; n < 20_000; n++) console.log('x'.repeat(100))"] as const;
		const app = await ChildApp.start({
			command: [...command],
			env: {},
			stdout: { stream: slow },
			stderr: { stream: slow },
		});
		onTestFinished(() => app.kill());
		slow.on("error", () => {});
		await eventually(() => expect(slow.writableLength).toBeGreaterThan(0));
		const held = slow.writableLength;
		expect(held).toBeLessThan(1_000_000);
		slow.destroy(new Error("the reader is gone"));
		expect(await app.ended).toMatchObject({ exitCode: 0 });
	});

	it("the app has the environment it is given", async () => {
		const { app, output } = await start("console.log(process.env.APP_ID)", { APP_ID: "shop" });
		await app.ended;
		await eventually(() => expect(output.text).toBe("== APP == shop\n"));
	});

	it("the app's exit code is told", async () => {
		const { app } = await start("process.exit(3)");
		expect(await app.ended).toEqual({ exitCode: 3, description: "exit code 3" });
	});

	it("an app that a signal ended has 128 + the signal's number", async () => {
		const { app } = await start("process.kill(process.pid, 'SIGKILL')");
		expect(await app.ended).toEqual({ exitCode: 137, description: "signal SIGKILL" });
	});

	it("the app leads a process group of its own", async () => {
		const { app, output } = await start(
			`console.log(require('fs').readFileSync('/proc/self/stat', 'utf8').split(' ')[4]); ${WAIT_FOREVER}`,
		);
		await eventually(() => expect(output.text).toBe(`== APP == ${app.pid}\n`));
	});

	it("stop() asks with SIGTERM and waits", async () => {
		const { app, output } = await start(
			`process.on('SIGTERM', () => setTimeout(() => { console.log('bye'); process.exit(0) }, 50)); console.log('up'); ${WAIT_FOREVER}`,
		);
		await eventually(() => expect(output.text).toContain("up"));
		expect(await app.stop(5_000)).toBe(true);
		expect(output.text).toBe("== APP == up\n== APP == bye\n");
		expect(await app.ended).toMatchObject({ exitCode: 0 });
	});

	it("stop() kills an app that does not end within the grace period, and what it started", async () => {
		const { app, output } = await start(`
			const child = require('child_process').spawn(process.execPath, ['-e', "${IGNORE_SIGTERM} console.log('up'); ${WAIT_FOREVER}"], { stdio: 'inherit' });
			console.log('child ' + child.pid); ${IGNORE_SIGTERM} ${WAIT_FOREVER}`);
		await eventually(() => expect(output.text).toMatch(/child \d+.*up/s));
		const grandchild = Number(/child (\d+)/.exec(output.text)![1]);
		expect(await app.stop(100)).toBe(false);
		expect(await app.ended).toMatchObject({ exitCode: 137 });
		await eventually(() => expect(isAlive(grandchild)).toBe(false));
		expect(output.text).toContain("== APP == no");
	});

	it("stop() also ends what an app left behind that ended by itself", async () => {
		const { app, output } = await start(`
			const child = require('child_process').spawn(process.execPath, ['-e', "${WAIT_FOREVER}"], { stdio: 'inherit' });
			console.log('child ' + child.pid); child.unref(); process.exitCode = 4; setTimeout(() => process.exit(4), 10);`);
		expect(await app.ended).toMatchObject({ exitCode: 4 });
		await eventually(() => expect(output.text).toContain("child"));
		const grandchild = Number(/child (\d+)/.exec(output.text)![1]);
		expect(isAlive(grandchild)).toBe(true);
		expect(await app.stop(5_000)).toBe(true);
		await eventually(() => expect(isAlive(grandchild)).toBe(false));
	});

	it("stop() after the end resolves at once", async () => {
		const { app } = await start("");
		await app.ended;
		expect(await app.stop(0)).toBe(true);
	});

	it.each([
		["/nowhere/app", "there is no such command"],
		["/", "it is not executable"],
	])("a command that can't be started (%s) is refused with the reason", async (program, reason) => {
		const stream = new PassThrough();
		const starting = ChildApp.start({ command: [program], env: {}, stdout: { stream }, stderr: { stream } });
		await expect(starting).rejects.toThrow(ConfigurationError);
		await expect(starting).rejects.toThrow(`cannot start the app "${program}": ${reason}`);
	});
});
