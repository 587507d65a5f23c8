import { describe, expect, it, onTestFinished } from "vitest";
import { startBroker } from "../../src/broker/broker.js";
import { eventually } from "../support/eventually.js";
import { freePort } from "../support/free-port.js";
import { type SidecarOptions, type SidecarProcess, startSidecar } from "../support/sidecar-process.js";

const WAIT_FOREVER = "setInterval(() => {}, 1e6);";

/** A running sidecar that started this Node program as its app. */
async function startWithApp(program: string, options: SidecarOptions = {}) {
	const broker = await startBroker();
	onTestFinished(() => broker.close());
	const components = `
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: orders }
spec:
  type: bindings.mqtt3
  version: v1
  metadata:
    - { name: url, value: "${broker.url}" }
    - { name: topic, value: orders }
    - { name: consumerID, value: cli-test }
`;
	const command = [process.execPath, "-e", program];
	const sidecar = await startSidecar({ components, command, ...options });
	onTestFinished(() => sidecar[Symbol.asyncDispose]());
	return { broker, sidecar };
}

async function appPid(sidecar: SidecarProcess): Promise<number> {
	const [, pid] = await sidecar.line(/^== APP == pid (\d+)$/);
	return Number(pid);
}

function isAlive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch {
		return false;
	}
}

const PRINT_PID = "console.log('pid ' + process.pid);";

describe("mqtt3-binding run -- app", () => {
	it("the app finds Dapr's environment variables, and the port in them answers", async () => {
		const port = await freePort();
		const { sidecar } = await startWithApp(
			`const names = ['APP_ID', 'APP_PORT', 'APP_PROTOCOL', 'APP_CHANNEL_ADDRESS', 'DAPR_HTTP_PORT', 'DAPR_GRPC_PORT', 'MINE'];
			console.log(JSON.stringify(names.map((name) => process.env[name] ?? null)));
			fetch('http://127.0.0.1:' + process.env.DAPR_HTTP_PORT + '/v1.0/healthz/outbound').then((answer) => console.log('health ' + answer.status));
			${WAIT_FOREVER}`,
			{ appPort: port, env: { MINE: "yes" } },
		);
		const [, seen] = await sidecar.line(/^== APP == (\[.*)$/);
		const grpcPort = expect.stringMatching(/^[1-9]\d*$/);
		expect(JSON.parse(seen!)).toEqual(["test-app", `${port}`, "http", "127.0.0.1", `${sidecar.port}`, grpcPort, "yes"]);
		await sidecar.line(/^== APP == health 204$/);
		expect((await sidecar.stop()).code).toBe(0);
	});

	it("messages reach the app that was started, and its answer ends the stop", async () => {
		const port = await freePort();
		const { broker, sidecar } = await startWithApp(
			`require('http').createServer((request, response) => {
				if (request.method === 'POST') { console.log('got ' + request.url); setTimeout(() => { console.log('answered'); response.end(); }, 300); }
				else response.end();
			}).listen(${port}, '127.0.0.1');
			process.on('SIGTERM', () => { console.log('asked to end'); process.exit(0); });`,
			{ appPort: port },
		);
		await eventually(async () => expect((await sidecar.ready()).status).toBe(200), { timeoutMs: 10_000 });
		await broker.publish("orders", "{}");
		await sidecar.line(/^== APP == got \/orders$/);
		expect((await sidecar.stop()).code).toBe(0);
		const lines = sidecar.output.filter((line) => line.startsWith("== APP =="));
		expect(lines).toEqual(["== APP == got /orders", "== APP == answered", "== APP == asked to end"]);
	});

	it("an app that ends by itself ends the sidecar with its exit code", async () => {
		const { sidecar } = await startWithApp("setTimeout(() => process.exit(7), 300)");
		expect((await sidecar.exited).code).toBe(7);
		expect(sidecar.output.join("\n")).toContain("stopping: the app ended with exit code 7");
	});

	it("an app that a signal ended makes it 128 + the signal's number", async () => {
		const { sidecar } = await startWithApp(`${PRINT_PID} ${WAIT_FOREVER}`);
		process.kill(await appPid(sidecar), "SIGKILL");
		expect((await sidecar.exited).code).toBe(137);
	});

	it("an app that does not end is killed after the grace period; the exit code stays that of the stop", async () => {
		const { sidecar } = await startWithApp(`process.on('SIGTERM', () => {}); ${PRINT_PID} ${WAIT_FOREVER}`, {
			args: ["--dapr-graceful-shutdown-seconds", "1"],
		});
		const pid = await appPid(sidecar);
		expect((await sidecar.stop()).code).toBe(0);
		expect(isAlive(pid)).toBe(false);
		expect(sidecar.output.join("\n")).toContain("the app did not end within the grace period and was killed");
	});

	it("a second signal leaves no app behind", async () => {
		const { sidecar } = await startWithApp(`process.on('SIGTERM', () => {}); ${PRINT_PID} ${WAIT_FOREVER}`, {
			args: ["--dapr-graceful-shutdown-seconds", "0"],
		});
		const pid = await appPid(sidecar);
		sidecar.signal("SIGTERM");
		await sidecar.line(/stopping: SIGTERM/);
		expect((await sidecar.stop()).code).toBe(1);
		await eventually(() => expect(isAlive(pid)).toBe(false));
	});

	it("a bug that ends the sidecar leaves no app behind, and a code of its own", async () => {
		const bug = "data:text/javascript,process.once('SIGUSR2', () => { throw new Error('boom') })";
		const { sidecar } = await startWithApp(`${PRINT_PID} ${WAIT_FOREVER}`, { nodeArgs: ["--import", bug] });
		const pid = await appPid(sidecar);
		sidecar.signal("SIGUSR2");
		expect((await sidecar.exited).code).toBe(70);
		expect(sidecar.output.join("\n")).toMatch(/level=fatal.*boom/);
		await eventually(() => expect(isAlive(pid)).toBe(false));
	});

	it("SIGINT to the terminal's process group does not reach the app before the drain", async () => {
		const { sidecar } = await startWithApp(
			`process.on('SIGINT', () => console.log('interrupted')); process.on('SIGTERM', () => process.exit(0)); ${PRINT_PID} ${WAIT_FOREVER}`,
		);
		const pid = await appPid(sidecar);
		expect(() => process.kill(-pid, 0), "it leads a group of its own").not.toThrow();
		expect((await sidecar.stop({ signal: "SIGINT" })).code).toBe(0);
		expect(sidecar.output.join("\n")).not.toContain("interrupted");
	});
});
