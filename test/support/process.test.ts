import { expect, test } from "vitest";
import { type Program, startProgram } from "./process.js";
import { runningProcesses } from "./run-record.js";

function node(script: string, options = {}): Program {
	return startProgram(process.execPath, ["-e", script], { name: "script", ...options });
}

test("output lines of both streams are kept, and waited for", async () => {
	await using program = node(
		`console.log("one"); console.error("two"); setTimeout(() => console.log("three 3"), 20); setInterval(() => {}, 1000)`,
	);
	expect((await program.line(/three (\d)/))[1]).toBe("3");
	expect((await program.line(/^o/))[0]).toBe("o");
	expect([...program.output].sort()).toEqual(["one", "three 3", "two"]);
	await expect(program.line(/four/, 10)).rejects.toThrow(/ran 10 ms and wrote no line that matches \/four\/.*\n.*one/s);
});

test("an end without the line is told with code and output, and a last line without its end counts", async () => {
	await using program = node(`process.stdout.write("last words"); process.exitCode = 3`);
	await expect(program.line(/first words/)).rejects.toThrow("script ended (3)");
	await program.line(/last words$/);
	expect(await program.exited).toEqual({ code: 3, signal: null });
});

test("stop asks, and kills who does not listen", async () => {
	const obedient = node(`process.on("SIGTERM", () => process.exit(0)); console.log("up"); setInterval(() => {}, 1000)`);
	await obedient.line(/up/);
	expect(await obedient.stop()).toEqual({ code: 0, signal: null });
	const deaf = node(`process.on("SIGTERM", () => {}); console.log("up"); setInterval(() => {}, 1000)`);
	await deaf.line(/up/);
	await expect(deaf.stop({ timeoutMs: 50 })).rejects.toThrow("did not end within 50 ms of SIGTERM");
	expect(await deaf.exited).toEqual({ code: null, signal: "SIGKILL" });
});

test("disposing ends a process that was stopped with SIGSTOP", async () => {
	const program = node(`console.log("up"); setInterval(() => {}, 1000)`);
	await program.line(/up/);
	program.signal("SIGSTOP");
	expect(runningProcesses()).toEqual([`script (${program.pid})`]);
	await program[Symbol.asyncDispose]();
	expect(await program.exited).toEqual({ code: null, signal: "SIGTERM" });
	expect(runningProcesses()).toEqual([]);
});

test("the environment is ours, with additions and without what is undefined", async () => {
	process.env.MQTT3_BINDING_TEST_GIVEN = "inherited";
	const env = { MQTT3_BINDING_TEST_ADDED: "added", MQTT3_BINDING_TEST_GIVEN: undefined };
	await using program = node(
		`console.log(process.env.MQTT3_BINDING_TEST_ADDED, process.env.MQTT3_BINDING_TEST_GIVEN)`,
		{ env },
	);
	await program.line(/^added undefined$/);
	delete process.env.MQTT3_BINDING_TEST_GIVEN;
});

test("a command that is not there ends at once", async () => {
	await using program = startProgram("/no/such/program", []);
	await expect(program.line(/./)).resolves.toMatchObject({ input: expect.stringContaining("ENOENT") });
	expect(await program.exited).toEqual({ code: 127, signal: null });
});
