import { spawn } from "node:child_process";
import { once } from "node:events";
import { lstat, readFile } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { startBroker } from "../../src/broker/broker.js";
import { eventually } from "../support/eventually.js";
import { freePort } from "../support/free-port.js";
import { HttpApp } from "../support/http-app.js";
import { type Program, startProgram } from "../support/process.js";
import { type SidecarOptions, startSidecar } from "../support/sidecar-process.js";
import { tempFolder } from "../support/temp-folder.js";

const MAIN = join(import.meta.dirname, "../../dist/cli/main.js");
const LISTENING = /listening on (http:\/\/127\.0\.0\.1:(\d+))/;

type Env = Record<string, string | undefined>;

function start(args: readonly string[], env: Env = {}): Program {
	const program = startProgram(process.execPath, [MAIN, ...args], { name: "mqtt3-binding", env });
	onTestFinished(() => program[Symbol.asyncDispose]());
	return program;
}

/** Runs it to its end. */
async function outcome(args: readonly string[], env: Env = {}) {
	const program = start(args, env);
	const { code } = await program.exited;
	return { code, output: program.output.join("\n") };
}

function component(brokerUrl: string): string {
	return `
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: orders }
spec:
  type: bindings.mqtt3
  version: v1
  metadata:
    - { name: url, value: "${brokerUrl}" }
    - { name: topic, value: orders }
    - { name: consumerID, value: cli-test }
`;
}

async function componentFolder(): Promise<string> {
	const folder = await tempFolder({ "orders.yaml": component("tcp://127.0.0.1:1") });
	onTestFinished(() => folder[Symbol.asyncDispose]());
	return folder.path;
}

async function socketFolder() {
	const folder = await tempFolder();
	onTestFinished(() => folder[Symbol.asyncDispose]());
	return folder;
}

/** A broker and a running sidecar for it. */
async function startRun(options: Omit<SidecarOptions, "components"> = {}) {
	const broker = await startBroker();
	onTestFinished(() => broker.close());
	const sidecar = await startSidecar({ components: component(broker.url), ...options });
	onTestFinished(() => sidecar[Symbol.asyncDispose]());
	return { broker, sidecar };
}

/** The same with an app that has one delivery in its hands, which it answers when `release` is called. */
async function startBusyRun(args: readonly string[] = []) {
	let release = () => {};
	const released = new Promise<number>((resolve) => {
		release = () => resolve(200);
	});
	const app = await HttpApp.start(({ method }) => (method === "POST" ? released : 200));
	onTestFinished(() => app[Symbol.asyncDispose]());
	const { broker, sidecar } = await startRun({ appPort: app.port, args });
	await eventually(async () => expect((await sidecar.ready()).status).toBe(200), { timeoutMs: 10_000 });
	await broker.publish("orders", "{}");
	await eventually(() => expect(app.posts).toHaveLength(1));
	return { broker, sidecar, app, release };
}

describe("mqtt3-binding", () => {
	it("--version prints the version alone", async () => {
		const { code, output } = await outcome(["--version"]);
		expect(output).toMatch(/^\d+\.\d+\.\d+$/);
		expect(code).toBe(0);
		expect(await outcome(["run", "--version"])).toEqual({ code, output });
	});

	it.each([{ args: ["--help"] }, { args: ["run", "--help"] }, { args: ["demo", "--help"] }])(
		"$args begins with an example",
		async ({ args }) => {
			const { code, output } = await outcome(args);
			expect(output).toMatch(/^Example:\n {2}mqtt3-binding /);
			expect(code).toBe(0);
		},
	);

	it.each([
		{ args: [], says: "Commands:" },
		{ args: ["rum"], says: 'error: unknown command "rum"' },
	])("$args is answered with the help and exit code 1", async ({ args, says }) => {
		const { code, output } = await outcome(args);
		expect(output).toContain(says);
		expect(code).toBe(1);
	});
});

describe("mqtt3-binding run: what is refused", () => {
	it("every wrong flag is named, one a line, without a stack trace", async () => {
		const { code, output } = await outcome(["run", "--app-prt", "1", "--resources-path", "x", "--log-level", "loud"]);
		expect(output.split("\n")).toEqual([
			"error: unknown flag --app-prt; did you mean --app-port?",
			"error: --app-id is missing: --app-id ID",
			'error: --log-level "loud": expected debug, info, warn, error, fatal',
		]);
		expect(code).toBe(1);
	});

	it("every wrong component is named with file and line", async () => {
		const folder = await tempFolder({
			"missing.yaml": component("tcp://localhost").replace(/.*consumerID.*\n/, ""),
			"bad-boolean.yaml": `${component("tcp://localhost").replace("orders", "more")}    - { name: retain, value: maybe }\n`,
			"no-yaml.yaml": "apiVersion: [",
			"no-store.yaml": component("x")
				.replace("orders", "third")
				.replace('value: "x"', "secretKeyRef: { name: a, key: b }"),
		});
		onTestFinished(() => folder[Symbol.asyncDispose]());
		const { code, output } = await outcome(["run", "--app-id", "shop", "--resources-path", folder.path]);
		expect(output).toMatch(/^error: .*missing\.yaml:\d+.*consumerID/m);
		expect(output).toMatch(/^error: .*bad-boolean\.yaml:12.*retain.*maybe/m);
		expect(output).toMatch(/^error: .*no-yaml\.yaml:1/m);
		expect(output).toMatch(/^error: .*no-store\.yaml:9.*url/m);
		expect(output.split("\n").every((line) => line.startsWith("error: "))).toBe(true);
		expect(output).not.toMatch(/\n\s+at /);
		expect(code).toBe(1);
	});

	it("a port in use is named with its flag", async () => {
		const server = createServer().listen(0, "127.0.0.1");
		await once(server, "listening");
		onTestFinished(() => void server.close());
		const { port } = server.address() as AddressInfo;
		const folder = await componentFolder();
		const args = ["run", "--app-id", "shop", "--resources-path", folder, "--dapr-http-port", String(port)];
		const { code, output } = await outcome(args);
		expect(output).toMatch(new RegExp(`^error: .*port ${port} is in use.*--dapr-http-port`, "m"));
		expect(code).toBe(1);
	});

	it("NODE_TLS_REJECT_UNAUTHORIZED=0 is refused", async () => {
		const folder = await componentFolder();
		const args = ["run", "--app-id", "shop", "--resources-path", folder];
		const { code, output } = await outcome(args, { NODE_TLS_REJECT_UNAUTHORIZED: "0" });
		expect(output).toContain("error: NODE_TLS_REJECT_UNAUTHORIZED=0");
		expect(code).toBe(1);
	});

	it("an address that other machines reach needs a token", async () => {
		const folder = await componentFolder();
		const args = ["run", "--app-id", "shop", "--resources-path", folder, "--dapr-listen-addresses", "0.0.0.0"];
		const { code, output } = await outcome(args, { DAPR_API_TOKEN: undefined });
		expect(output).toMatch(/^error: .*DAPR_API_TOKEN.*--allow-unauthenticated/m);
		expect(code).toBe(1);
	});

	it("an app that can't be started is told of", async () => {
		const folder = await componentFolder();
		const args = ["run", "--app-id", "shop", "--resources-path", folder, "--dapr-http-port", "0", "--", "/nowhere/app"];
		const { code, output } = await outcome(args);
		expect(output).toContain('error: cannot start the app "/nowhere/app": there is no such command');
		expect(code).toBe(1);
	});
});

describe("mqtt3-binding run: start and stop", () => {
	it("the API answers as soon as the line with its address is there", async () => {
		const { sidecar } = await startRun();
		expect((await fetch(`${sidecar.url}/v1.0/healthz/outbound`)).status).toBe(204);
	});

	it.each(["SIGTERM", "SIGINT"] as const)("%s ends it with exit code 0", async (signal) => {
		const { sidecar } = await startRun();
		expect(await sidecar.stop({ signal })).toEqual({ code: 0, signal: null });
		expect(sidecar.output.join("\n")).toContain(`stopping: ${signal}`);
	});

	it("POST /v1.0/shutdown ends it with exit code 0", async () => {
		const { sidecar } = await startRun();
		expect((await fetch(`${sidecar.url}/v1.0/shutdown`, { method: "POST" })).status).toBe(204);
		expect((await sidecar.exited).code).toBe(0);
	});

	it("a forced shutdown waits for nobody and has exit code 1", async () => {
		const { sidecar } = await startBusyRun(["--dapr-graceful-shutdown-seconds", "0"]);
		await fetch(`${sidecar.url}/v1.0/shutdown`, { method: "POST", headers: { "dapr-force-shutdown": "true" } });
		expect((await sidecar.exited).code).toBe(1);
	});

	it("a stop waits for the delivery at the app, and the API serves meanwhile", async () => {
		const { broker, sidecar, app, release } = await startBusyRun();
		sidecar.signal("SIGTERM");
		await sidecar.line(/stopping: SIGTERM/);
		await broker.publish("orders", "late");
		const answer = await sidecar.create("orders", { operation: "create", data: 1, metadata: { topic: "elsewhere" } });
		expect(answer.status).toBe(204);
		release();
		expect((await sidecar.exited).code).toBe(0);
		expect(app.posts).toHaveLength(1);
	});

	it("a delivery that outlasts the grace period makes it exit code 1", async () => {
		const { sidecar } = await startBusyRun(["--dapr-graceful-shutdown-seconds", "1"]);
		expect((await sidecar.stop()).code).toBe(1);
		expect(sidecar.output.join("\n")).toContain("the grace period ended");
	});

	it("a second signal ends it at once with exit code 1", async () => {
		const { sidecar } = await startBusyRun(["--dapr-graceful-shutdown-seconds", "0"]);
		sidecar.signal("SIGTERM");
		await sidecar.line(/stopping: SIGTERM/);
		expect((await sidecar.stop()).code).toBe(1);
	});

	it("--dapr-block-shutdown-duration keeps the API up and hands nothing more over", async () => {
		const { broker, sidecar, app, release } = await startBusyRun(["--dapr-block-shutdown-duration", "1s"]);
		release();
		const started = performance.now();
		sidecar.signal("SIGTERM");
		await sidecar.line(/stopping: SIGTERM/);
		await broker.publish("orders", "late");
		const answer = await sidecar.create("orders", { operation: "create", data: 1, metadata: { topic: "elsewhere" } });
		expect(answer.status).toBe(204);
		expect((await sidecar.exited).code).toBe(0);
		expect(performance.now() - started).toBeGreaterThan(950);
		expect(app.posts).toHaveLength(1);
	});

	it("SIGUSR1 opens no debugger", async () => {
		const { sidecar } = await startRun();
		sidecar.signal("SIGUSR1");
		expect((await fetch(`${sidecar.url}/v1.0/healthz/outbound`)).status).toBe(204);
		await sidecar.stop();
		expect(sidecar.output.join("\n")).not.toContain("Debugger");
	});

	it("a log that nobody reads any more stops nothing", async () => {
		const args = ["run", "--app-id", "a", "--dapr-http-port", "0", "--log-level", "debug"];
		const child = spawn(process.execPath, [MAIN, ...args, "--resources-path", await componentFolder()]);
		onTestFinished(() => void child.kill("SIGKILL"));
		let output = "";
		child.stdout.on("data", (chunk) => {
			output += chunk;
		});
		await eventually(() => expect(output).toMatch(LISTENING), { timeoutMs: 10_000 });
		child.stdout.destroy();
		child.stderr.destroy();
		const url = LISTENING.exec(output)![1];
		// Each refused call is logged, as is every failed attempt to reach the broker.
		await eventually(async () => expect((await fetch(`${url}/v1.0/healthz/outbound`)).status).toBe(204));
		child.kill("SIGTERM");
		const [code] = await once(child, "exit");
		expect(code).toBe(0);
	});

	it("a log whose reader is stuck holds up neither the API nor the end", async () => {
		// Enough warnings to fill any pipe.
		const strange = "apiVersion: x\nkind: Strange\n---\n".repeat(900);
		const folder = await tempFolder({ "a.yaml": component("tcp://127.0.0.1:1"), "b.yaml": strange, "c.yaml": strange });
		onTestFinished(() => folder[Symbol.asyncDispose]());
		const port = await freePort();
		const args = ["run", "--app-id", "a", "--dapr-http-port", `${port}`, "--resources-path", folder.path];
		const child = spawn(process.execPath, [MAIN, ...args]);
		onTestFinished(() => void child.kill("SIGKILL"));
		const health = `http://127.0.0.1:${port}/v1.0/healthz/outbound`;
		await eventually(async () => expect((await fetch(health)).status).toBe(204), { timeoutMs: 15_000 });
		child.kill("SIGTERM");
		const [code] = await once(child, "exit");
		expect(code).toBe(0);
	});

	it("--log-file takes the log, as JSON where that is asked for", async () => {
		const folder = await tempFolder({ "components/a.yaml": component("tcp://127.0.0.1:1") });
		onTestFinished(() => folder[Symbol.asyncDispose]());
		const file = join(folder.path, "sidecar.log");
		const args = ["--dapr-http-port", "0", "--resources-path", join(folder.path, "components"), "--log-file", file];
		const program = start(["run", "--app-id", "a", "--log-as-json", ...args]);
		await eventually(async () => expect(await readFile(file, "utf8")).toMatch(LISTENING), { timeoutMs: 10_000 });
		expect(await program.stop()).toEqual({ code: 0, signal: null });
		const lines = (await readFile(file, "utf8")).trim().split("\n");
		expect(JSON.parse(lines.at(-1)!)).toMatchObject({ msg: "stopped", level: "info", app_id: "a" });
		expect(program.output).toEqual([]);
		const nowhere = ["run", "--app-id", "a", "--resources-path", folder.path, "--log-file", "/nowhere/x.log"];
		const { code, output } = await outcome(nowhere);
		expect(output).toBe('error: --log-file "/nowhere/x.log": can\'t be opened (ENOENT)');
		expect(code).toBe(1);
	});

	it("flags of daprd that have no effect are accepted, and those of a coming version named", async () => {
		const args = ["--config", "x.yaml", "--placement-host-address", "x", "--mode", "standalone"];
		const { sidecar } = await startRun({ args });
		await sidecar.line(/without effect in this version: --config, --mode/);
	});

	it("--unix-domain-socket serves the API on a file instead of a port, until the end", async () => {
		const args = ["--resources-path", await componentFolder(), "--unix-domain-socket", (await socketFolder()).path];
		const env = "console.log('port: ' + process.env.DAPR_HTTP_PORT); setInterval(() => {}, 1000)";
		const command = ["--", process.execPath, "-e", env];
		const program = start(["run", "--app-id", "shop", ...args, ...command], { DAPR_HTTP_PORT: undefined });
		const [, socketPath] = await program.line(/listening on unix:(\/\S+\/dapr-shop-http\.socket)/);
		await program.line(/^== APP == port: undefined$/);
		const healthz = request({ socketPath: socketPath!, path: "/v1.0/healthz/outbound" }).end();
		const [answer] = (await once(healthz, "response")) as [IncomingMessage];
		expect(answer.resume().statusCode).toBe(204);
		expect(await program.stop()).toEqual({ code: 0, signal: null });
		await expect(lstat(socketPath!)).rejects.toThrow("ENOENT");
	});

	it("--wait ends with 0 once the sidecar is up", async () => {
		const { sidecar } = await startRun();
		expect(await outcome(["run", "--wait", "--dapr-http-port", `${sidecar.port}`])).toEqual({ code: 0, output: "" });
	});
});
