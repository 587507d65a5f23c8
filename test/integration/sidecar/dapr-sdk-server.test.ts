import { describe, expect, test } from "vitest";
import { startDaprSdkServer } from "../../support/dapr-sdk.js";
import { eventually } from "../../support/eventually.js";
import { freePort } from "../../support/free-port.js";
import { describeWith } from "../../support/left-out.js";
import { type Mosquitto, startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { startSidecar } from "../../support/sidecar-process.js";
import { component, untilReady, untilReason } from "./component.js";

const TOKENS = { DAPR_API_TOKEN: "api-canary", APP_API_TOKEN: "app-canary" };

/** A sidecar that keeps its ports, and an app behind it that serves with Dapr's SDK. */
async function start(broker: Mosquitto, protocol: "HTTP" | "GRPC", env: Readonly<Record<string, string>> = {}) {
	const appPort = await freePort();
	const ports = { HTTP: await freePort(), GRPC: await freePort() };
	const sidecar = await startSidecar({
		components: component({ url: broker.url, holdInterval: "1s" }),
		appPort,
		httpPort: ports.HTTP,
		args: ["--app-protocol", protocol.toLowerCase(), "--dapr-grpc-port", String(ports.GRPC)],
		env,
	});
	const token = env.DAPR_API_TOKEN;
	const app = await startDaprSdkServer({ protocol, port: ports[protocol], appPort, ...(token && { token }) });
	return {
		sidecar,
		app,
		async [Symbol.asyncDispose]() {
			await app[Symbol.asyncDispose]();
			await sidecar[Symbol.asyncDispose]();
		},
	};
}

async function publish(broker: Mosquitto, ...numbers: readonly number[]): Promise<void> {
	await using device = await connectDevice(broker.url);
	for (const n of numbers) await device.publish("in/x", JSON.stringify({ n }), { qos: 1 });
}

describeWith("mosquitto", "an app that serves with Dapr's SDK for JavaScript", () => {
	describe.each(["HTTP", "GRPC"] as const)("over %s", (protocol) => {
		test("gets each message once, and publishes from its handler; tokens go both ways", async () => {
			await using broker = await startMosquitto();
			await using device = await connectDevice(broker.url);
			await device.subscribe("out/#");
			await using line = await start(broker, protocol, TOKENS);
			await untilReady(line.sidecar);
			await publish(broker, 1, 2, 3);
			const done = await device.received(3);
			expect(done.map(({ topic, payload }) => `${topic} ${payload}`).toSorted()).toEqual(
				[1, 2, 3].map((n) => `out/done {"n":${n}}`),
			);
			expect(line.app.events).toEqual(expect.arrayContaining([{ n: 1 }, { n: 2 }, { n: 3 }]));
			expect(line.app.events).toHaveLength(3);
			expect(line.sidecar.output.join("\n")).not.toContain("canary");
		});

		test("that throws keeps its message: it is held, and comes again until it is taken", async () => {
			await using broker = await startMosquitto();
			await using line = await start(broker, protocol);
			await untilReady(line.sidecar);
			line.app.refuse(true);
			await publish(broker, 1);
			await untilReason(line.sidecar, "held");
			await eventually(() => expect(line.app.events.length).toBeGreaterThanOrEqual(2));
			line.app.refuse(false);
			await untilReady(line.sidecar);
			expect(new Set(line.app.events.map((event) => JSON.stringify(event)))).toEqual(new Set(['{"n":1}']));
		});

		test("runs on while its sidecar restarts, and misses nothing", async () => {
			await using broker = await startMosquitto();
			await using device = await connectDevice(broker.url);
			await device.subscribe("out/#");
			await using line = await start(broker, protocol);
			await untilReady(line.sidecar);
			await publish(broker, 1);
			await device.received(1);
			await line.sidecar.stop();
			await publish(broker, 2, 3);
			await line.sidecar.start();
			await untilReady(line.sidecar);
			const done = await eventually(async () => {
				const messages = await device.received(3);
				return messages.map(({ payload }) => payload.toString());
			});
			expect(new Set(done)).toEqual(new Set([1, 2, 3].map((n) => JSON.stringify({ n }))));
		});
	});
});
