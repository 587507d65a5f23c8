import { once } from "node:events";
import { createServer } from "node:http";
import { connect, createServer as createTcpServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { startBroker } from "../../src/broker/broker.js";
import { eventually } from "../support/eventually.js";
import { type Program, startProgram } from "../support/process.js";
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

/** A component folder with one binding of that broker. */
async function componentFolder(brokerUrl: string): Promise<string> {
	const folder = await tempFolder({
		"orders.yaml": `
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
`,
	});
	onTestFinished(() => folder[Symbol.asyncDispose]());
	return folder.path;
}

/** A broker and a sidecar for it on a free port; `-- command` and further flags as given. */
async function startRun(args: readonly string[] = [], env: Env = {}) {
	const broker = await startBroker();
	onTestFinished(() => broker.close());
	const folder = await componentFolder(broker.url);
	const program = start(["run", "--app-id", "shop", "--resources-path", folder, "--dapr-http-port", "0", ...args], env);
	const [, url] = await program.line(LISTENING);
	return { broker, program, url: url! };
}

/** An app that answers OPTIONS at once and deliveries when `release` is called. */
async function startSlowApp() {
	let deliveries = 0;
	let release = () => {};
	const released = new Promise<void>((resolve) => {
		release = resolve;
	});
	const server = createServer(async (request, response) => {
		if (request.method === "POST") {
			deliveries++;
			await released;
		}
		response.end();
	});
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	onTestFinished(() => {
		server.closeAllConnections();
		server.close();
	});
	return { port: (server.address() as AddressInfo).port, release, deliveries: () => deliveries };
}

describe("mqtt3-binding", () => {
	it("--version prints the version alone", async () => {
		const { code, output } = await outcome(["--version"]);
		expect(output).toMatch(/^\d+\.\d+\.\d+$/);
		expect(code).toBe(0);
		expect(await outcome(["run", "--version"])).toEqual({ code, output });
	});

	it.each([["--help"], ["run", "--help"], ["demo", "--help"]])("%s %s begins with an example", async (...args) => {
		const { code, output } = await outcome(args);
		expect(output).toMatch(/^Example:\n {2}mqtt3-binding /);
		expect(code).toBe(0);
	});

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
			'error: --log-level "loud": expected debug, info, warn, error, fatal',
			"error: --app-id is missing: --app-id ID",
		]);
		expect(code).toBe(1);
	});

	it("every wrong component is named with file and line", async () => {
		const folder = await tempFolder({
			"a.yaml": "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: a }\nspec:\n  type: bindings.mqtt3\n  version: v1\n  metadata:\n    - { name: url, value: tcp://localhost }\n    - { name: topic, value: t }\n",
			"b.yaml": "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: b }\nspec:\n  type: bindings.mqtt3\n  version: v1\n  metadata:\n    - { name: url, value: tcp://localhost }\n    - { name: topic, value: t }\n    - { name: consumerID, value: c }\n    - { name: retain, value: maybe }\n",
		});
		onTestFinished(() => folder[Symbol.asyncDispose]());
		const { code, output } = await outcome(["run", "--app-id", "shop", "--resources-path", folder.path]);
		expect(output).toMatch(/^error: .*a\.yaml:\d+.*consumerID/m);
		expect(output).toMatch(/^error: .*b\.yaml:11.*retain/m);
		expect(output).not.toMatch(/\n\s+at /);
		expect(code).toBe(1);
	});

	it("a port in use is named with its flag", async () => {
		const server = createTcpServer().listen(0, "127.0.0.1");
		await once(server, "listening");
		onTestFinished(() => void server.close());
		const { port } = server.address() as AddressInfo;
		const folder = await componentFolder("tcp://127.0.0.1:1");
		const args = ["run", "--app-id", "shop", "--resources-path", folder, "--dapr-http-port", String(port)];
		const { code, output } = await outcome(args);
		expect(output).toMatch(new RegExp(`^error: .*port ${port} is in use.*--dapr-http-port`, "m"));
		expect(code).toBe(1);
	});

	it("NODE_TLS_REJECT_UNAUTHORIZED=0 is refused", async () => {
		const folder = await componentFolder("tcp://127.0.0.1:1");
		const args = ["run", "--app-id", "shop", "--resources-path", folder];
		const { code, output } = await outcome(args, { NODE_TLS_REJECT_UNAUTHORIZED: "0" });
		expect(output).toContain("error: NODE_TLS_REJECT_UNAUTHORIZED=0");
		expect(code).toBe(1);
	});

	it("an address that other machines reach needs a token", async () => {
		const folder = await componentFolder("tcp://127.0.0.1:1");
		const args = ["run", "--app-id", "shop", "--resources-path", folder, "--dapr-listen-addresses", "0.0.0.0"];
		const { code, output } = await outcome(args, { DAPR_API_TOKEN: undefined });
		expect(output).toMatch(/^error: .*DAPR_API_TOKEN.*--allow-unauthenticated/m);
		expect(code).toBe(1);
	});

	it("an app that can't be started is told of", async () => {
		const folder = await componentFolder("tcp://127.0.0.1:1");
		const args = ["run", "--app-id", "shop", "--resources-path", folder, "--dapr-http-port", "0", "--", "/nowhere/app"];
		const { code, output } = await outcome(args);
		expect(output).toContain('error: cannot start the app "/nowhere/app": there is no such command');
		expect(code).toBe(1);
	});
});

describe("mqtt3-binding run: start and stop", () => {
	it("the API answers as soon as the line with its address is there", async () => {
		const { url } = await startRun();
		expect((await fetch(`${url}/v1.0/healthz/outbound`)).status).toBe(204);
	});

	it.each(["SIGTERM", "SIGINT"] as const)("%s ends it with exit code 0", async (signal) => {
		const { program } = await startRun();
		expect(await program.stop({ signal })).toEqual({ code: 0, signal: null });
		expect(program.output.join("\n")).toContain(`stopping: ${signal}`);
	});

	it("POST /v1.0/shutdown ends it with exit code 0", async () => {
		const { program, url } = await startRun();
		expect((await fetch(`${url}/v1.0/shutdown`, { method: "POST" })).status).toBe(204);
		expect((await program.exited).code).toBe(0);
	});

	it("a forced shutdown ends it with exit code 1", async () => {
		const app = await startSlowApp();
		const { broker, program, url } = await startRun(["--app-port", String(app.port), "--dapr-graceful-shutdown-seconds", "0"]);
		await publishUntilDelivered(broker, app);
		await fetch(`${url}/v1.0/shutdown`, { method: "POST", headers: { "dapr-force-shutdown": "true" } });
		expect((await program.exited).code).toBe(1);
	});

	it("a stop waits for the delivery at the app, and the API serves meanwhile", async () => {
		const app = await startSlowApp();
		const { broker, program, url } = await startRun(["--app-port", String(app.port)]);
		await publishUntilDelivered(broker, app);
		program.signal("SIGTERM");
		await program.line(/stopping: SIGTERM/);
		expect((await fetch(`${url}/v1.0/healthz/outbound`)).status).toBe(204);
		app.release();
		expect((await program.exited).code).toBe(0);
	});

	it("a delivery that outlasts the grace period makes it exit code 1", async () => {
		const app = await startSlowApp();
		const { broker, program } = await startRun(["--app-port", String(app.port), "--dapr-graceful-shutdown-seconds", "1"]);
		await publishUntilDelivered(broker, app);
		expect((await program.stop()).code).toBe(1);
		expect(program.output.join("\n")).toContain("the grace period ended");
	});

	it("a second signal ends it at once with exit code 1", async () => {
		const app = await startSlowApp();
		const { broker, program } = await startRun(["--app-port", String(app.port), "--dapr-graceful-shutdown-seconds", "0"]);
		await publishUntilDelivered(broker, app);
		program.signal("SIGTERM");
		await program.line(/stopping: SIGTERM/);
		expect((await program.stop()).code).toBe(1);
	});

	it("--dapr-block-shutdown-duration keeps the API up and reads nothing more", async () => {
		const app = await startSlowApp();
		app.release();
		const { broker, program, url } = await startRun(["--app-port", String(app.port), "--dapr-block-shutdown-duration", "1s"]);
		await publishUntilDelivered(broker, app);
		const started = performance.now();
		program.signal("SIGTERM");
		await program.line(/stopping: SIGTERM/);
		const before = app.deliveries();
		await broker.publish("orders", "late");
		const create = { operation: "create", data: 1, metadata: { topic: "elsewhere" } };
		const response = await fetch(`${url}/v1.0/bindings/orders`, { method: "POST", body: JSON.stringify(create) });
		expect(response.status).toBe(204);
		expect((await program.exited).code).toBe(0);
		expect(performance.now() - started).toBeGreaterThan(950);
		expect(app.deliveries()).toBe(before);
	});

	it("SIGUSR1 opens no debugger", async () => {
		const { program, url } = await startRun();
		program.signal("SIGUSR1");
		expect((await fetch(`${url}/v1.0/healthz/outbound`)).status).toBe(204);
		await program.stop();
		expect(program.output.join("\n")).not.toContain("Debugger");
	});

	it("a log that nobody reads any more stops nothing", async () => {
		const { program, url } = await startRun(["--enable-api-logging", "--log-level", "debug"]);
		program.closeOutput();
		for (let call = 0; call < 3; call++) {
			expect((await fetch(`${url}/v1.0/healthz/outbound`)).status).toBe(204);
		}
		expect((await program.stop()).code).toBe(0);
	});

	it("--wait ends with 0 once the sidecar is up", async () => {
		const { url } = await startRun();
		expect(await outcome(["run", "--wait", "--dapr-http-port", new URL(url).port])).toEqual({ code: 0, output: "" });
	});
});

async function publishUntilDelivered(
	broker: { publish(topic: string, payload: string): Promise<void> },
	app: { deliveries(): number },
): Promise<void> {
	await eventually(
		async () => {
			await broker.publish("orders", "{}");
			expect(app.deliveries()).toBeGreaterThan(0);
		},
		{ everyMs: 50, timeoutMs: 10_000 },
	);
}

void connect;
