import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { status } from "@grpc/grpc-js";
import { describe, expect, onTestFinished, test } from "vitest";
import { createCa } from "../../test/support/certificates.js";
import { eventually } from "../../test/support/eventually.js";
import {
	type GrpcAnswer,
	type GrpcApp,
	type GrpcAppOptions,
	type GrpcScript,
	startGrpcApp,
} from "../../test/support/start-grpc-app.js";
import type { ReadResponse } from "../bindings/binding.js";
import { AppError, ConfigurationError } from "../errors.js";
import { BindingEventResponse_BindingEventConcurrency as Concurrency } from "../gen/dapr/proto/runtime/v1/appcallback.js";
import type { AppChannel, AppVerdict } from "./app-channel.js";
import { createGrpcChannel, type GrpcChannelOptions } from "./grpc-channel.js";

const event: ReadResponse = {
	data: Buffer.from('{"t":21.5}'),
	metadata: { topic: "home/kitchen" },
	contentType: "application/json",
};

interface Setup {
	readonly app: GrpcApp;
	readonly channel: AppChannel;
	readonly send: (signal?: AbortSignal) => Promise<AppVerdict>;
}

async function setUp({
	script,
	app: appOptions,
	channel: channelOptions,
}: {
	readonly script?: GrpcScript;
	readonly app?: GrpcAppOptions;
	readonly channel?: Partial<GrpcChannelOptions>;
} = {}): Promise<Setup> {
	const app = await startGrpcApp(script, appOptions);
	onTestFinished(() => app[Symbol.asyncDispose]());
	const channel = openChannel({ port: app.port, ...channelOptions });
	const { signal } = new AbortController();
	return { app, channel, send: (own = signal) => channel.sendBindingEvent("orders", "in/orders", event, own) };
}

function openChannel(options: Partial<GrpcChannelOptions> & { readonly port: number }): AppChannel {
	const channel = createGrpcChannel({ host: "127.0.0.1", ...options });
	onTestFinished(() => channel.close());
	return channel;
}

/** A port on which nobody listens. */
async function closedPort(): Promise<number> {
	await using app = await startGrpcApp();
	return app.port;
}

/** Answers each of the first events with the next of these, and everything later with OK. */
function inTurn(...answers: readonly GrpcAnswer[]): GrpcScript {
	let index = 0;
	return () => answers[index++] ?? "OK";
}

describe("a delivery", () => {
	test("is an OnBindingEvent with the component's name, the payload as it is and the metadata as text", async () => {
		const { app, channel } = await setUp({ channel: { appToken: "app-token" } });
		const data = Buffer.from([0, 255, 13, 10, 128]);
		const metadata = { topic: "größe\n😀", retained: "true", attempt: "2" };
		const { signal } = new AbortController();
		const verdict = await channel.sendBindingEvent("Orders", "in/orders", { ...event, data, metadata }, signal);
		expect(verdict).toEqual({ kind: "accepted" });
		expect(app.events).toMatchObject([{ name: "Orders", data, metadata, headers: { "dapr-api-token": "app-token" } }]);
	});

	test("with an empty payload is one", async () => {
		const { app, channel } = await setUp();
		const { signal } = new AbortController();
		const nothing = { ...event, data: new Uint8Array(), metadata: {} };
		expect(await channel.sendBindingEvent("o", "o", nothing, signal)).toEqual({ kind: "accepted" });
		expect(app.events).toMatchObject([{ name: "o", data: Buffer.alloc(0), metadata: {} }]);
		expect(app.events[0]?.headers).not.toHaveProperty("dapr-api-token");
	});

	test("of 8 MiB arrives byte for byte", async () => {
		const { app, channel } = await setUp();
		const data = Buffer.alloc(8 << 20, "0123456789");
		await channel.sendBindingEvent("o", "o", { ...event, data }, new AbortController().signal);
		expect(app.events[0]?.data.equals(data)).toBe(true);
	});

	test("shares one connection with all others", async () => {
		const { app, send } = await setUp();
		await Promise.all(Array.from({ length: 50 }, () => send()));
		await send();
		expect(app.connections).toBe(1);
	});

	test("reaches an app that listens on IPv6", async () => {
		const app = await startGrpcApp(undefined, { host: "::1" }).catch(() => undefined);
		if (app === undefined) return console.warn("left out: this machine has no IPv6 loopback");
		onTestFinished(() => app[Symbol.asyncDispose]());
		const channel = openChannel({ host: "::1", port: app.port });
		expect(channel.address).toBe(`[::1]:${app.port}`);
		expect(await channel.sendBindingEvent("o", "o", event, new AbortController().signal)).toEqual({ kind: "accepted" });
	});

	test("reaches an app by its host's name", async () => {
		const { app } = await setUp();
		const channel = openChannel({ host: "localhost", port: app.port });
		expect(await channel.sendBindingEvent("o", "o", event, new AbortController().signal)).toEqual({ kind: "accepted" });
	});

	test.each(["127.0.0.1", "localhost"])(
		"reaches an app at %s over TLS without a check of its certificate",
		async (host) => {
			const authority = await createCa();
			const tls = await authority.issue({ dnsNames: ["elsewhere.example"] });
			const { channel, send } = await setUp({ app: { tls }, channel: { protocol: "grpcs", host } });
			await channel.waitForPort(new AbortController().signal);
			expect(await send()).toEqual({ kind: "accepted" });
			expect(await channel.isHealthy(new AbortController().signal)).toBe(true);
		},
	);
});

describe("F-38: the app's answer", () => {
	const codes = Object.keys(status).filter(
		(name): name is keyof typeof status => /^[A-Z_]+$/.test(name) && name !== "OK",
	);

	const answers: readonly { readonly code: keyof typeof status; readonly early?: true }[] = codes.flatMap((code) => [
		{ code },
		{ code, early: true },
	]);
	test.each(answers)("%j is a failed attempt with the code's name", async ({ code, early }) => {
		const answer = { code, details: "not this one", ...(early && { early }) };
		const { app, send } = await setUp({ script: inTurn("OK", answer) });
		await send();
		const verdict = await send();
		expect(verdict).toMatchObject({
			kind: "failed",
			status: code,
			error: {
				code: "ERR_APP",
				outcome: "failed",
				message: `the app answered ${code}: not this one to OnBindingEvent for "orders"`,
			},
		});
		expect(verdict).not.toHaveProperty("retryAfterMs");
		expect(app.events).toHaveLength(2);
		expect(app.connections).toBe(1);
	});

	test("OK after a while accepts, and OK with a response that says nothing", async () => {
		const { send } = await setUp({ script: inTurn({ delayMs: 50 }, { data: Buffer.from("1") }) });
		expect(await send()).toEqual({ kind: "accepted" });
		expect(await send()).toEqual({ kind: "accepted" });
	});

	test("OK may name output bindings and what they get", async () => {
		const data = Buffer.from("[1]");
		const script = inTurn({ to: ["a", "b"], data }, { to: ["c"], concurrency: Concurrency.PARALLEL });
		const { send } = await setUp({ script });
		expect(await send()).toEqual({
			kind: "accepted",
			response: { to: ["a", "b"], data, concurrency: "sequential" },
		});
		expect(await send()).toEqual({
			kind: "accepted",
			response: { to: ["c"], data: Buffer.alloc(0), concurrency: "parallel" },
		});
	});

	test("OK with an answer of 5 MiB accepts", async () => {
		const { send } = await setUp({ script: () => ({ data: Buffer.alloc(5 << 20) }) });
		expect(await send()).toEqual({ kind: "accepted" });
	});

	test("an answer of more than 16 MiB is a failed attempt, which says so, and the connection goes on", async () => {
		const { app, send } = await setUp({ script: inTurn({ data: Buffer.alloc(17 << 20) }) });
		const verdict = await send();
		expect(verdict).toMatchObject({
			kind: "failed",
			error: { message: expect.stringContaining("larger than 16 MiB") },
		});
		expect(verdict).not.toHaveProperty("status");
		expect(await send()).toEqual({ kind: "accepted" });
		expect(app.connections).toBe(1);
	});

	test("long words of an app are cut", async () => {
		const { send } = await setUp({ script: () => ({ code: "INTERNAL", details: "x".repeat(4_000) }) });
		const verdict = await send();
		expect(verdict.kind === "failed" && verdict.error.message.length).toBeLessThan(400);
	});

	/** google.rpc.Status with a RetryInfo of 2.5 s. */
	const retryInfo = Buffer.concat([
		Buffer.from("0808120474657374 1a32 0a28".replaceAll(" ", ""), "hex"),
		Buffer.from("type.googleapis.com/google.rpc.RetryInfo"),
		Buffer.from("1206", "hex"),
		Buffer.from("0a04", "hex"),
		Buffer.from("0802", "hex"),
		Buffer.from("1000", "hex"),
	]);

	test.each<[keyof typeof status, Readonly<Record<string, string | Buffer>>, number | undefined]>([
		["UNAVAILABLE", { "retry-after": "7" }, 7_000],
		["RESOURCE_EXHAUSTED", { "retry-after": "0" }, 0],
		["RESOURCE_EXHAUSTED", { "grpc-status-details-bin": retryInfo }, 2_000],
		["UNAVAILABLE", { "grpc-status-details-bin": retryInfo, "retry-after": "7" }, 2_000],
		["UNAVAILABLE", { "grpc-status-details-bin": Buffer.from("nonsense"), "retry-after": "7" }, 7_000],
		["UNAVAILABLE", { "retry-after": "nonsense" }, undefined],
		["INTERNAL", { "retry-after": "7" }, undefined],
	])("%s with %j asks for a delay of %s ms", async (code, trailers, retryAfterMs) => {
		const { send } = await setUp({ script: () => ({ code, trailers }) });
		const verdict = await send();
		expect(verdict).toMatchObject({ kind: "failed", status: code });
		expect(verdict.kind === "failed" && verdict.retryAfterMs).toBe(retryAfterMs);
	});
});

describe("a connection that ends without an answer", () => {
	test.each<GrpcAnswer>(["close", "reset"])(
		"(%s) is a failed attempt when it was new and the port is open",
		async (end) => {
			const { app, send } = await setUp({ script: () => end });
			const verdict = await send();
			expect(verdict).toMatchObject({ kind: "failed", error: { code: "ERR_APP", outcome: "failed" } });
			expect(verdict).not.toHaveProperty("status");
			expect(app.events).toHaveLength(1);
		},
	);

	test.each<GrpcAnswer>(["close", "reset"])(
		"(%s) is no attempt when it was used before: sent again at once on a new one",
		async (end) => {
			const { app, send } = await setUp({ script: inTurn("OK", end, "OK") });
			await send();
			expect(await send()).toEqual({ kind: "accepted" });
			expect(app.events.map(({ connection }) => connection)).toEqual([1, 1, 3]);
			expect(app.events[2]?.data).toEqual(event.data);
		},
	);

	test("counts as used when the app refused an event on it", async () => {
		const { app, send } = await setUp({ script: inTurn("ABORTED", "reset", "OK") });
		await send();
		expect(await send()).toEqual({ kind: "accepted" });
		expect(app.events).toHaveLength(3);
	});

	test("twice in a row for one message is a failed attempt, also when others have used the new one by then", async () => {
		const other = Buffer.from("other");
		let ends = 0;
		const script: GrpcScript = async ({ data, connection }) => {
			if (data.equals(other) || app.events.length === 1) return "OK";
			if (++ends === 2) {
				// The one that is sent again gets its end after somebody else was served here.
				await channel.sendBindingEvent("o", "o", { ...event, data: other }, new AbortController().signal);
				expect(app.events.at(-1)).toMatchObject({ data: other, connection });
			}
			return "reset";
		};
		const { app, channel, send } = await setUp({ script });
		await send();
		expect(await send()).toMatchObject({ kind: "failed" });
		expect(app.events.filter(({ data }) => data.equals(event.data))).toHaveLength(3);
	});

	test("and the port closed is a crash, also when it was used before", async () => {
		const { send } = await setUp({ script: inTurn("OK", "crash") });
		await send();
		expect(await send()).toEqual({ kind: "none", crashed: true });
		expect(await send()).toEqual({ kind: "unreachable" });
	});

	test("and the port closed a moment later is a crash: a dying process loses one socket after the other", async () => {
		const { app, send } = await setUp();
		app.script = () => {
			setTimeout(() => app.crash(), 5);
			return "reset";
		};
		expect(await send()).toEqual({ kind: "none", crashed: true });
	});

	test("is answered for by one look at the port for all", async () => {
		const { app, send } = await setUp();
		await send();
		let arrived = 0;
		app.script = () => (++arrived < 50 ? "hang" : arrived === 50 ? "reset" : "OK");
		const verdicts = await Promise.all(Array.from({ length: 50 }, () => send()));
		for (const verdict of verdicts) expect(verdict).toEqual({ kind: "accepted" });
		expect(app.connections).toBeLessThan(10);
	});
});

describe("F-85: the app", () => {
	test("that does not listen is unreachable", async () => {
		const channel = openChannel({ port: await closedPort() });
		const { signal } = new AbortController();
		expect(await channel.sendBindingEvent("o", "o", event, signal)).toEqual({ kind: "unreachable" });
		expect(await channel.sendBindingEvent("o", "o", event, signal)).toEqual({ kind: "unreachable" });
		expect(channel.connectError).toMatch(/^connect ECONNREFUSED 127\.0\.0\.1:\d+$/);
	});

	test("is reached by the first event after it came back, without a wait", async () => {
		const port = await closedPort();
		const channel = openChannel({ port });
		const { signal } = new AbortController();
		for (let round = 0; round < 3; round++) {
			// What goes out while the last connection dies says of its app that it crashed.
			await eventually(async () =>
				expect(await channel.sendBindingEvent("o", "o", event, signal)).toEqual({ kind: "unreachable" }),
			);
			const all = await Promise.all(Array.from({ length: 5 }, () => channel.sendBindingEvent("o", "o", event, signal)));
			for (const verdict of all) expect(verdict).toEqual({ kind: "unreachable" });
			await using _app = await startGrpcApp(undefined, { port });
			expect(await channel.sendBindingEvent("o", "o", event, signal)).toEqual({ kind: "accepted" });
			// The look at the port that told a crash from a refusal failed as well.
			expect(await channel.isPortOpen()).toBe(true);
			expect(channel.connectError).toBeUndefined();
		}
	});

	test.each<[string, (server: Server) => void]>([
		[
			"speaks HTTP/1.1",
			(server) =>
				server.on("connection", (socket) => {
					socket.on("error", () => {});
					socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
				}),
		],
		["ends every connection", (server) => server.on("connection", (socket) => void socket.resume().end())],
	])("that %s is unreachable and the reason is said: nothing was consumed", async (_, play) => {
		const server = createServer();
		play(server);
		const channel = openChannel({ port: await listening(server) });
		const { signal } = new AbortController();
		expect(await channel.sendBindingEvent("o", "o", event, signal)).toEqual({ kind: "unreachable" });
		expect(await channel.isPortOpen()).toBe(true);
		expect(channel.connectError).toMatch(/^(Protocol error|Failed to connect|read ECONNRESET|Connection closed .*)$/);
	});

	test("killed with 200 events in its hands gives no verdict on any, and takes them when it is back", async () => {
		const { signal } = new AbortController();
		const first = await startSilentApp();
		const channel = openChannel({ port: first.port });
		const verdicts = Promise.all(Array.from({ length: 200 }, () => channel.sendBindingEvent("o", "o", event, signal)));
		await first.hasEvents(200);
		first.kill();
		for (const verdict of await verdicts) expect(verdict).toEqual({ kind: "none", crashed: true });
		await using app = await startGrpcApp(undefined, { port: first.port });
		await channel.waitForPort(signal);
		const again = await Promise.all(
			Array.from({ length: 200 }, () => channel.sendBindingEvent("o", "o", event, signal)),
		);
		for (const verdict of again) expect(verdict).toEqual({ kind: "accepted" });
		expect(app.events).toHaveLength(200);
	});

	test("that takes few calls at once gets no more, and all", async () => {
		const { app, send } = await setUp({ script: () => ({ delayMs: 1 }), app: { maxStreams: 7 } });
		const verdicts = await Promise.all(Array.from({ length: 200 }, () => send()));
		for (const verdict of verdicts) expect(verdict).toEqual({ kind: "accepted" });
		expect(app.maxConcurrency).toBeLessThanOrEqual(7);
		expect(app.events).toHaveLength(200);
	});
});

describe("aborting", () => {
	test("ends a delivery under way without a verdict; the app is told, and the connection goes on", async () => {
		const { app, send } = await setUp({ script: inTurn("hang", "OK") });
		const abort = new AbortController();
		const verdict = send(abort.signal);
		await eventually(() => expect(app.events).toHaveLength(1));
		abort.abort();
		expect(await verdict).toEqual({ kind: "none" });
		await eventually(() => expect(app.concurrency).toBe(0));
		expect(await send()).toEqual({ kind: "accepted" });
		expect(app.connections).toBe(1);
	});

	test("ends a delivery that waits for its turn, and leaves the others alone", async () => {
		let release = () => {};
		const gate = new Promise<void>((resolve) => {
			release = resolve;
		});
		const { app, send } = await setUp({ script: () => gate.then(() => "OK" as const), channel: { maxConcurrency: 1 } });
		const abort = new AbortController();
		const [first, second, third] = [send(), send(abort.signal), send()];
		abort.abort();
		expect(await second).toEqual({ kind: "none" });
		release();
		expect(await first).toEqual({ kind: "accepted" });
		expect(await third).toEqual({ kind: "accepted" });
		expect(app.events).toHaveLength(2);
	});

	test("before the call asks nobody", async () => {
		const { app, send } = await setUp();
		expect(await send(AbortSignal.abort())).toEqual({ kind: "none" });
		expect(app.connections).toBe(0);
	});

	test("ends a delivery to an app that takes connections and says nothing, and makes room for the next", async () => {
		const server = createServer((socket) => void socket.resume().on("error", () => {}));
		const channel = openChannel({ port: await listening(server), maxConcurrency: 1 });
		for (let round = 0; round < 2; round++) {
			const abort = new AbortController();
			const verdict = channel.sendBindingEvent("o", "o", event, abort.signal);
			setImmediate(() => abort.abort());
			expect(await verdict).toEqual({ kind: "none" });
		}
	});

	test("closing the channel ends what is under way and what waits, and nothing is sent any more", async () => {
		const { app, channel, send } = await setUp({ script: () => "hang", channel: { maxConcurrency: 1 } });
		const verdicts = Promise.all([send(), send()]);
		await eventually(() => expect(app.events).toHaveLength(1));
		await Promise.all([channel.close(), channel.close()]);
		expect(await verdicts).toEqual([{ kind: "none" }, { kind: "none" }]);
		expect(await send()).toEqual({ kind: "none" });
		expect(app.events).toHaveLength(1);
		await eventually(() => expect(app.openConnections).toBe(0));
	});
});

describe("app-max-concurrency", () => {
	test("limits the events at the app; all are answered", async () => {
		const { app, send } = await setUp({ script: () => ({ delayMs: 2 }), channel: { maxConcurrency: 3 } });
		for (const verdict of await Promise.all(Array.from({ length: 40 }, () => send()))) {
			expect(verdict).toEqual({ kind: "accepted" });
		}
		expect(app.maxConcurrency).toBe(3);
	});

	test.each([undefined, 0, -1])("%s is no limit that 200 events would feel", async (maxConcurrency) => {
		let arrived = 0;
		let release = () => {};
		const all = new Promise<void>((resolve) => {
			release = resolve;
		});
		const script: GrpcScript = async (): Promise<GrpcAnswer> => {
			if (++arrived === 200) release();
			await all;
			return "OK";
		};
		const { app, send } = await setUp({ script, channel: { maxConcurrency } });
		await Promise.all(Array.from({ length: 200 }, () => send()));
		expect(app.maxConcurrency).toBe(200);
	});
});

describe("asking the app", () => {
	const ask = (channel: AppChannel, name = "orders", signal = new AbortController().signal) =>
		channel.isSubscribed(name, "in/o", signal);

	test("is ListInputBindings, without the token", async () => {
		const { app, channel } = await setUp({ channel: { appToken: "secret" } });
		expect(await ask(channel)).toBe(true);
		expect(app.lists).toHaveLength(1);
		expect(JSON.stringify(app.lists)).not.toContain("secret");
	});

	test.each<[string, readonly string[], boolean]>([
		["orders", ["orders"], true],
		["orders", ["alarms", "orders"], true],
		["orders", [], false],
		["orders", ["order", "in/o"], false],
		["orders", ["Orders"], false],
		["Orders", ["Orders"], true],
		// As the official JavaScript SDK lists it.
		["Orders", ["orders"], true],
	])("an app that is asked for %s and lists %j means %s", async (name, bindings, expected) => {
		const { channel } = await setUp({ app: { bindings } });
		expect(await ask(channel, name)).toBe(expected);
	});

	test("is one call for all components that ask at the same moment, and another one later", async () => {
		const { app, channel } = await setUp();
		const names = ["orders", "alarms", "orders"];
		expect(await Promise.all(names.map((name) => ask(channel, name)))).toEqual([true, false, true]);
		expect(app.lists).toHaveLength(1);
		app.bindings = ["alarms"];
		expect(await ask(channel, "alarms")).toBe(true);
		expect(app.lists).toHaveLength(2);
	});

	test("who asks while an answer is on its way gets a later one", async () => {
		const { app, channel } = await setUp();
		app.bindings = { code: "OK", delayMs: 50 };
		const first = ask(channel);
		await eventually(() => expect(app.lists).toHaveLength(1));
		app.bindings = ["orders"];
		expect(await Promise.all([first, ask(channel)])).toEqual([false, true]);
	});

	test("an app without that method wants nothing", async () => {
		const { app, channel } = await setUp();
		app.bindings = "UNIMPLEMENTED";
		expect(await ask(channel)).toBe(false);
		expect(channel.describeNo("orders", "in/o")).toBe("it has no ListInputBindings (UNIMPLEMENTED)");
		app.bindings = [];
		expect(await ask(channel)).toBe(false);
		expect(channel.describeNo("orders", "in/o")).toBe('its ListInputBindings does not name "orders"');
	});

	test.each<GrpcAnswer>(["INTERNAL", "UNAVAILABLE", "UNAUTHENTICATED"])("%s is no answer", async (code) => {
		const { app, channel } = await setUp();
		app.bindings = code;
		await expect(ask(channel)).rejects.toMatchObject({
			code: "ERR_APP",
			outcome: "failed",
			message: expect.stringContaining(`${code}`),
		});
	});

	test.each<[GrpcAnswer, string]>([
		["crash", "crashed"],
		["reset", "failed"],
	])("%j is no answer: %s", async (answer, outcome) => {
		const { app, channel } = await setUp();
		app.bindings = answer;
		await expect(ask(channel)).rejects.toMatchObject({ code: "ERR_APP", outcome });
	});

	test("an app that takes too long gave no answer", async () => {
		const { app, channel } = await setUp({ channel: { optionsTimeoutMs: 40 } });
		app.bindings = "hang";
		const error = await ask(channel).catch((error: unknown) => error);
		expect(error).toBeInstanceOf(AppError);
		expect(error).toMatchObject({ outcome: "none", message: expect.stringContaining("within 40 ms") });
		app.bindings = ["orders"];
		expect(await ask(channel)).toBe(true);
	});

	test("an app that does not listen is unreachable", async () => {
		const channel = openChannel({ port: await closedPort() });
		await expect(ask(channel)).rejects.toMatchObject({
			code: "ERR_APP",
			outcome: "unreachable",
			message: expect.stringMatching(/^ListInputBindings at 127\.0\.0\.1:\d+ was not sent: connect ECONNREFUSED/),
		});
	});

	test("ends when it is aborted, for who aborted, and when the channel closes, for all", async () => {
		const { app, channel } = await setUp({ channel: { optionsTimeoutMs: 60_000 } });
		app.bindings = "hang";
		const abort = new AbortController();
		const [first, second] = [ask(channel, "orders", abort.signal), ask(channel)];
		await eventually(() => expect(app.lists).toHaveLength(1));
		abort.abort();
		await expect(first).rejects.toMatchObject({ code: "ERR_APP", outcome: "none" });
		await expect(ask(channel, "orders", abort.signal)).rejects.toMatchObject({ code: "ERR_APP", outcome: "none" });
		await channel.close();
		await expect(second).rejects.toMatchObject({ code: "ERR_APP", outcome: "none" });
	});
});

describe("asking the app whether it is well", () => {
	const { signal } = new AbortController();

	test("is HealthCheck, without the token, each time on a connection of its own that ends", async () => {
		const { app, channel } = await setUp({ channel: { appToken: "secret" } });
		for (let probe = 0; probe < 3; probe++) expect(await channel.isHealthy(signal)).toBe(true);
		expect(channel.healthError).toBeUndefined();
		expect(app.healthChecks).toHaveLength(3);
		expect(app.connections).toBe(3);
		expect(JSON.stringify(app.healthChecks)).not.toContain("secret");
		await eventually(() => expect(app.openConnections).toBe(0));
	});

	test.each<[GrpcAnswer, RegExp]>([
		[{ code: "UNAVAILABLE", details: "warming up" }, /^HealthCheck answered UNAVAILABLE: warming up$/],
		["INTERNAL", /^HealthCheck answered INTERNAL$/],
		["close", /^HealthCheck failed: Connection dropped$/],
		["reset", /^HealthCheck failed: (read ECONNRESET|Connection dropped)$/],
		["hang", /^HealthCheck failed: no answer within 60 ms$/],
	])("%j is a no, and why is said", async (answer, why) => {
		const { app, channel } = await setUp({ channel: { healthTimeoutMs: 60 } });
		app.health = answer;
		expect(await channel.isHealthy(signal)).toBe(false);
		expect(channel.healthError).toMatch(why);
		await eventually(() => expect(app.openConnections).toBe(0));
	});

	test("gets a no from an app that serves no HealthCheck", async () => {
		const { channel } = await setUp({ app: { hasHealthCheck: false } });
		expect(await channel.isHealthy(signal)).toBe(false);
		expect(channel.healthError).toMatch(/^HealthCheck answered UNIMPLEMENTED/);
	});

	test("gets a no in time from an app that takes connections and says nothing, and leaves none", async () => {
		let open = 0;
		const server = createServer((socket) => {
			open++;
			socket.resume().on("close", () => open--);
		});
		const channel = openChannel({ port: await listening(server), healthTimeoutMs: 40 });
		expect(await channel.isHealthy(signal)).toBe(false);
		expect(channel.healthError).toBe("HealthCheck failed: no answer within 40 ms");
		await eventually(() => expect(open).toBe(0));
	});

	test("gets a no where nobody listens, and when it is aborted", async () => {
		const channel = openChannel({ port: await closedPort() });
		expect(await channel.isHealthy(signal)).toBe(false);
		expect(channel.healthError).toMatch(/^HealthCheck failed: connect ECONNREFUSED 127\.0\.0\.1:\d+$/);
		expect(await channel.isHealthy(AbortSignal.abort())).toBe(false);
	});

	test("waits behind no delivery and counts for no limit", async () => {
		const { app, channel, send } = await setUp({
			script: () => "hang",
			app: { maxStreams: 1 },
			channel: { maxConcurrency: 1 },
		});
		void send();
		await eventually(() => expect(app.events).toHaveLength(1));
		expect(await channel.isHealthy(signal)).toBe(true);
	});
});

describe("the app's port", () => {
	test("is waited for until it is open", async () => {
		const port = await closedPort();
		const channel = openChannel({ port });
		const waiting = channel.waitForPort(new AbortController().signal);
		await eventually(() => expect(channel.connectError).toContain("ECONNREFUSED"));
		expect(await channel.isPortOpen()).toBe(false);
		await using _app = await startGrpcApp(undefined, { port });
		await waiting;
		expect(await channel.isPortOpen()).toBe(true);
		expect(channel.connectError).toBeUndefined();
	});

	test("that takes connections but speaks no TLS is not the port of a grpcs app", async () => {
		const { channel } = await setUp({ channel: { protocol: "grpcs" } });
		const abort = new AbortController();
		const waiting = channel.waitForPort(abort.signal);
		await eventually(() => expect(channel.connectError).toBeDefined());
		abort.abort();
		await expect(waiting).rejects.toThrow();
	});
});

test("a token that can't be sent is refused without being shown", () => {
	const create = () => createGrpcChannel({ host: "127.0.0.1", port: 1, appToken: "canary\n" });
	expect(create).toThrow(ConfigurationError);
	expect(create).not.toThrow(/canary/);
});

async function listening(server: Server): Promise<number> {
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	onTestFinished(() => void server.close());
	return (server.address() as { port: number }).port;
}

/** An app in a process of its own that answers nothing and can be killed. */
async function startSilentApp() {
	const program = `
		const { Server, ServerCredentials } = require("@grpc/grpc-js");
		const bytes = { requestSerialize: (b) => b, requestDeserialize: (b) => b, responseSerialize: (b) => b, responseDeserialize: (b) => b };
		const path = "/dapr.proto.runtime.v1.AppCallback/OnBindingEvent";
		const server = new Server();
		let events = 0;
		server.addService(
			{ onBindingEvent: { path, requestStream: false, responseStream: false, ...bytes } },
			{ onBindingEvent: () => process.send(++events) },
		);
		server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (_, port) => process.send({ port }));`;
	const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
	onTestFinished(() => void child.kill("SIGKILL"));
	let events = 0;
	child.on("message", (message) => {
		if (typeof message === "number") events = message;
	});
	const [{ port }] = (await once(child, "message")) as [{ port: number }];
	return {
		port,
		hasEvents: (count: number) => eventually(() => expect(events).toBe(count)),
		kill: () => child.kill("SIGKILL"),
	};
}
