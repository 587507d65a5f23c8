import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { BindingEventResponse_BindingEventConcurrency as Concurrency } from "../../../src/gen/dapr/proto/runtime/v1/appcallback.js";
import { eventually } from "../../support/eventually.js";
import { describeWith } from "../../support/left-out.js";
import { type Mosquitto, startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { startSidecar } from "../../support/sidecar-process.js";
import { type GrpcAnswer, startGrpcApp } from "../../support/start-grpc-app.js";
import { component, logged, reasons, untilReady, untilReason } from "./component.js";

function sidecarFor(
	broker: Mosquitto,
	appPort: number,
	protocol: "grpc" | "h2c",
	more: string = "",
	args: readonly string[] = [],
) {
	return startSidecar({
		components: component({ url: broker.url }) + more,
		appPort,
		args: ["--app-protocol", protocol, "--dapr-grpc-port", "0", ...args],
	});
}

async function publish(broker: Mosquitto, ...payloads: readonly string[]): Promise<void> {
	await using device = await connectDevice(broker.url);
	for (const payload of payloads) await device.publish("in/x", payload, { qos: 1 });
}

describeWith("mosquitto", "an app that speaks gRPC", () => {
	test("gets what the broker has, with the token, and its refusal by code is no acceptance", async () => {
		await using broker = await startMosquitto();
		const refused = new Set(["b"]);
		await using app = await startGrpcApp(
			({ data }): GrpcAnswer => (refused.has(data.toString()) ? "FAILED_PRECONDITION" : "OK"),
		);
		await using sidecar = await startSidecar({
			components: component({ url: broker.url }),
			appPort: app.port,
			args: ["--app-protocol", "grpc", "--dapr-grpc-port", "0", "--enable-app-health-check"],
			env: { APP_API_TOKEN: "app-token" },
		});
		await untilReady(sidecar);
		await publish(broker, "a", "b", "c");
		await untilReason(sidecar, "held");
		await eventually(() => expect(app.events.map(({ data }) => data.toString())).toEqual(["a", "b", "c"]));
		expect(app.events[0]).toMatchObject({
			name: "orders",
			metadata: { topic: "in/x" },
			headers: { "dapr-api-token": "app-token" },
		});
		expect(app.healthChecks.length).toBeGreaterThan(0);
		expect(JSON.stringify([app.lists, app.healthChecks])).not.toContain("app-token");
	});

	test("that dies with events in its hands loses none: they come again when it is back", async () => {
		await using broker = await startMosquitto();
		const first = await startGrpcApp(() => "hang");
		await using sidecar = await sidecarFor(broker, first.port, "grpc");
		await untilReady(sidecar);
		await publish(broker, "a", "b", "c");
		await eventually(() => expect(first.events).toHaveLength(3));
		first.crash();
		await untilReason(sidecar, "app-unreachable");
		await first[Symbol.asyncDispose]();
		await using second = await startGrpcApp(() => "OK", { port: first.port });
		await eventually(() =>
			expect(second.events.map(({ data }) => data.toString()).toSorted()).toEqual(["a", "b", "c"]),
		);
		await untilReady(sidecar);
		expect(second.events.map(({ metadata }) => metadata.attempt)).toEqual([undefined, undefined, undefined]);
	});

	test("that names no binding makes outputs of them; it is asked again when it was away", async () => {
		await using broker = await startMosquitto();
		const first = await startGrpcApp(() => "OK", { bindings: [] });
		await using sidecar = await sidecarFor(broker, first.port, "grpc");
		const { message } = await untilReason(sidecar, "input-declined");
		expect(message).toMatch(/its ListInputBindings does not name "orders"/);
		await first[Symbol.asyncDispose]();
		await using _second = await startGrpcApp(() => "OK", { port: first.port, bindings: ["orders"] });
		await eventually(async () => expect(await reasons(sidecar)).toEqual([]), { timeoutMs: 15_000 });
	});

	test.each([Concurrency.SEQUENTIAL, Concurrency.PARALLEL])(
		"may name output bindings in its answer (%s): each is invoked with its data, and one that is not there is said",
		async (concurrency) => {
			await using broker = await startMosquitto();
			await using app = await startGrpcApp(({ data }) => ({
				to: ["other", "nobody", "other"],
				data: data.toString() === "bad" ? Buffer.from("{no json") : Buffer.from('{"n":1}'),
				concurrency,
			}));
			const other = component({ name: "other", url: broker.url, topic: "out/other", direction: "output" });
			await using sidecar = await sidecarFor(broker, app.port, "grpc", other);
			await untilReady(sidecar);
			await using device = await connectDevice(broker.url);
			await device.subscribe("out/#");
			await publish(broker, "good", "bad");
			const messages = await device.received(4);
			expect(messages.map(({ topic, payload }) => `${topic} ${payload}`).toSorted()).toEqual([
				"out/other null",
				"out/other null",
				'out/other {"n":1}',
				'out/other {"n":1}',
			]);
			await eventually(() => expect(logged(sidecar, "follow-up-failed").length).toBeGreaterThan(0));
			expect(logged(sidecar, "follow-up-failed")[0]).toMatch(/nobody.*couldn't find output binding nobody/);
			await eventually(async () => expect(await reasons(sidecar)).toEqual([]));
		},
	);
});

/** An app that speaks HTTP/2 without TLS, and nothing else. */
async function startH2cApp(answer: (payload: string) => number | "hang") {
	const payloads: string[] = [];
	const sessions = new Set<ServerHttp2Session>();
	const server: Http2Server = createServer();
	server.on("session", (session) => void sessions.add(session));
	server.on("stream", async (stream: ServerHttp2Stream, headers) => {
		stream.on("error", () => {});
		const chunks: Buffer[] = [];
		for await (const chunk of stream) chunks.push(chunk as Buffer);
		const payload = Buffer.concat(chunks).toString();
		if (headers[":method"] === "POST") payloads.push(`${headers[":path"]} ${headers.topic} ${payload}`);
		const status = headers[":method"] === "POST" ? answer(payload) : 200;
		if (status !== "hang" && !stream.destroyed) stream.respond({ ":status": status }, { endStream: true });
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	return {
		payloads,
		port: (server.address() as AddressInfo).port,
		async [Symbol.asyncDispose]() {
			const closed = new Promise((resolve) => server.close(resolve));
			for (const session of sessions) session.destroy();
			await closed;
		},
	};
}

describeWith("mosquitto", "an app that speaks h2c", () => {
	test("gets what the broker has; what it refuses is held", async () => {
		await using broker = await startMosquitto();
		await using app = await startH2cApp((payload) => (payload === "b" ? 500 : 204));
		await using sidecar = await sidecarFor(broker, app.port, "h2c");
		await untilReady(sidecar);
		await publish(broker, "a", "b", "c");
		await untilReason(sidecar, "held");
		await eventually(() =>
			expect(app.payloads.toSorted()).toEqual(["/orders in/x a", "/orders in/x b", "/orders in/x c"]),
		);
	});
});
