import { describe, expect, it, onTestFinished } from "vitest";
import { startBroker } from "../../src/broker/broker.js";
import { eventually } from "../support/eventually.js";
import { HttpApp } from "../support/http-app.js";
import { startSidecar } from "../support/sidecar-process.js";

const FLAGS = [
	...["--enable-app-health-check", "--app-health-check-path", "/up", "--app-health-probe-interval", "1"],
	...["--app-health-probe-timeout", "200", "--app-health-threshold", "1"],
];
const BLOCK = ["--dapr-block-shutdown-duration", "1m"];

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
    - { name: consumerID, value: health-test }
    - { name: direction, value: "input, output" }
`;
}

/** Broker, app and sidecar; the app answers `/up` with `health.status`. */
async function start(args: readonly string[]) {
	const health = { status: 200 };
	const broker = await startBroker();
	onTestFinished(() => broker.close());
	const app = await HttpApp.start(({ path }) => (path === "/up" ? health.status : 200));
	onTestFinished(() => app[Symbol.asyncDispose]());
	const sidecar = await startSidecar({ components: component(broker.url), appPort: app.port, args });
	onTestFinished(() => sidecar[Symbol.asyncDispose]());
	await isReady(sidecar, 200);
	return { health, broker, app, sidecar };
}

async function isReady(sidecar: Awaited<ReturnType<typeof startSidecar>>, status: number): Promise<void> {
	await eventually(async () => expect((await sidecar.ready()).status).toBe(status), { timeoutMs: 10_000 });
}

describe("--enable-app-health-check", () => {
	it("holds messages back while the app is unhealthy, and shows its settings", async () => {
		const { health, broker, app, sidecar } = await start(FLAGS);
		expect(sidecar.output.join("\n")).not.toContain("without effect");
		health.status = 503;
		await isReady(sidecar, 503);
		const reason = { code: "app-unhealthy", message: expect.stringContaining("GET /up answered 503") };
		expect((await sidecar.ready()).body).toMatchObject({
			reasons: expect.arrayContaining([expect.objectContaining(reason)]),
		});
		await broker.publish("orders", "one");
		const probes = app.requests.length;
		await eventually(() => expect(app.requests.length).toBeGreaterThan(probes), { timeoutMs: 10_000 });
		expect(app.posts).toEqual([]);
		health.status = 204;
		await eventually(() => expect(app.posts.map(({ body }) => body.toString())).toEqual(["one"]), {
			timeoutMs: 10_000,
		});
		const metadata = await (await fetch(`${sidecar.url}/v1.0/metadata`)).json();
		expect(metadata).toMatchObject({
			appConnectionProperties: {
				health: { healthCheckPath: "/up", healthProbeInterval: "1s", healthProbeTimeout: "200ms", healthThreshold: 1 },
			},
		});
	});
});

describe("--dapr-block-shutdown-duration", () => {
	it("ends when the app turns unhealthy", async () => {
		const { health, sidecar } = await start([...FLAGS, ...BLOCK]);
		sidecar.signal("SIGTERM");
		await sidecar.line(/stopping: SIGTERM/);
		expect((await fetch(`${sidecar.url}/v1.0/healthz/outbound`)).status).toBe(204);
		health.status = 500;
		expect((await sidecar.exited).code).toBe(0);
	});

	it("ends when the app's port is closed", async () => {
		const { app, sidecar } = await start(BLOCK);
		sidecar.signal("SIGTERM");
		await sidecar.line(/stopping: SIGTERM/);
		expect((await fetch(`${sidecar.url}/v1.0/healthz/outbound`)).status).toBe(204);
		app.crash();
		expect((await sidecar.exited).code).toBe(0);
	});
});
