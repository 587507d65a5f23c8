import { describe, expect, onTestFinished, test } from "vitest";
import { eventually } from "../../test/support/eventually.js";
import { type AppAnswer, type AppScript, HttpApp } from "../../test/support/http-app.js";
import { MemoryBinding, type MemoryBindingOptions } from "../../test/support/memory-binding.js";
import type { InvokeRequest, Report } from "../bindings/binding.js";
import { ConfigurationError, NotFoundError, StateError } from "../errors.js";
import { createHttpChannel } from "./http-channel.js";
import { Registry } from "./registry.js";
import { type ResolvedComponent, Runtime, type RuntimeOptions } from "./runtime.js";

interface TestComponent
	extends MemoryBindingOptions,
		Partial<Pick<ResolvedComponent, "ignoreErrors" | "name" | "templated" | "type">> {}

interface Host {
	readonly runtime: Runtime;
	readonly bindings: readonly MemoryBinding[];
	readonly reports: readonly (Report & { readonly component: string | undefined })[];
}

/** A runtime over bindings of the test; component `n` is called `c<n>` unless it says otherwise. */
function host(components: readonly TestComponent[], options: Partial<RuntimeOptions> = {}): Host {
	const bindings = components.map((component) => new MemoryBinding(component));
	const reports: (Report & { readonly component: string | undefined })[] = [];
	const registry = new Registry();
	for (const [index, binding] of bindings.entries()) registry.binding(`bindings.test${index}`, () => binding);
	const runtime = new Runtime({
		components: components.map(({ name, type, templated = [], ignoreErrors = false }, index) => ({
			name: name ?? `c${index}`,
			type: type ?? `bindings.test${index}`,
			version: "v1",
			properties: {},
			sources: {},
			templated,
			source: `c${index}.yaml:1`,
			ignoreErrors,
		})),
		registry,
		gracePeriodMs: 5_000,
		onReport: (component, report) => reports.push({ ...report, component }),
		...options,
	});
	onTestFinished(() => runtime.close());
	return { runtime, bindings, reports };
}

async function startedHost(components: readonly TestComponent[], options: Partial<RuntimeOptions> = {}): Promise<Host> {
	const made = host(components, options);
	await made.runtime.init();
	made.runtime.start();
	return made;
}

async function startApp(script?: AppScript, port?: number): Promise<HttpApp> {
	const app = await HttpApp.start(script, port === undefined ? {} : { port });
	onTestFinished(() => app[Symbol.asyncDispose]());
	return app;
}

function channelTo(port: number) {
	return createHttpChannel({ host: "127.0.0.1", port, optionsTimeoutMs: 200, healthTimeoutMs: 100 });
}

function codes({ runtime }: Host): readonly string[] {
	return runtime.health().reasons.map(({ code }) => code);
}

const request: InvokeRequest = { operation: "create", data: Buffer.from("x"), metadata: {} };

describe("init", () => {
	test("reports the warnings of every component", async () => {
		const { runtime, reports } = host([{ init: ["one", "two"] }, {}]);
		await runtime.init();
		expect(reports).toMatchObject([
			{ component: "c0", level: "warn", message: "one" },
			{ component: "c0", level: "warn", message: "two" },
		]);
	});

	test("gives each component what was resolved for it", async () => {
		const { runtime, bindings } = host([{ templated: ["consumerID"] }]);
		await runtime.init();
		const source = "c0.yaml:1";
		expect(bindings[0]?.metadata).toMatchObject({ name: "c0", properties: {}, sources: {}, source });
		expect(bindings[0]?.metadata?.templated).toEqual(["consumerID"]);
	});

	test("tries all components, lists all errors and closes what passed", async () => {
		const wrong = (component: string) => new ConfigurationError(`wrong ${component}`, { component });
		const { runtime, bindings } = host([
			{ init: wrong("c0") },
			{},
			{ init: new AggregateError([wrong("c2"), wrong("c2")]) },
			{ init: new Error("no file") },
			{ type: "bindings.other" },
		]);
		const error = await runtime.init().catch((error: unknown) => error);
		expect(error).toBeInstanceOf(AggregateError);
		const { errors, message } = error as AggregateError;
		expect(message).toBe("4 components are wrong");
		for (const one of errors) expect(one).toBeInstanceOf(ConfigurationError);
		expect(errors.map((one) => one.message)).toEqual([
			"wrong c0",
			"wrong c2",
			"wrong c2",
			'component "c3" (c3.yaml:1): no file',
			'component "c4" (c4.yaml:1): there is no component type "bindings.other"',
		]);
		expect(bindings.slice(0, 4).every(({ closed }) => closed)).toBe(true);
		expect(() => runtime.start()).toThrow(StateError);
	});

	test("leaves out a wrong component with ignoreErrors, with a warning", async () => {
		const { runtime, reports, bindings } = await startedHost([
			{ ignoreErrors: true, init: new ConfigurationError("wrong") },
			{},
		]);
		expect(runtime.components.map(({ name }) => name)).toEqual(["c1"]);
		expect(reports).toContainEqual(
			expect.objectContaining({ component: "c0", level: "warn", code: "component-left-out" }),
		);
		expect(bindings.map(({ started }) => started)).toEqual([0, 1]);
	});

	const connection = { broker: "tcp://broker:1883", clientId: "same", keepsSession: true };

	test("two components with one client identifier on one broker are an error that names both files", async () => {
		const { runtime } = host([{ connections: [connection] }, { connections: [{ ...connection }] }]);
		const error = await runtime.init().catch((error: unknown) => error);
		expect((error as AggregateError).errors).toHaveLength(1);
		expect((error as AggregateError).errors[0].message).toMatch(/c1\.yaml:1.*c0\.yaml:1.*"same".*splitConnections/);
	});

	test("one client identifier on two brokers is fine", async () => {
		const other = { ...connection, broker: "tcp://other:1883" };
		await host([{ connections: [connection] }, { connections: [other] }]).runtime.init();
	});

	test("a component that was left out takes no client identifier", async () => {
		const wrong = { ignoreErrors: true, init: new ConfigurationError("wrong"), connections: [connection] };
		await host([wrong, { connections: [connection] }]).runtime.init();
	});

	test("two components of one name are an error", async () => {
		const { runtime } = host([{ name: "a" }, { name: "a" }]);
		await expect(runtime.init()).rejects.toThrow(AggregateError);
	});
});

describe("invoking", () => {
	test("reaches the binding of that name", async () => {
		const { runtime, bindings } = await startedHost([{}, {}]);
		await runtime.invokeBinding("c1", request);
		expect(bindings.map(({ invoked }) => invoked)).toEqual([[], [request]]);
	});

	test.each([
		["nobody", "create", "couldn't find output binding nobody"],
		["c1", "create", "couldn't find output binding c1"],
		["c0", "get", "binding c0 does not support operation get. supported operations:create"],
		["c0", "", "operation field is missing from request"],
		["nobody", "", "operation field is missing from request"],
	])("%j with operation %j says what daprd says", async (name, operation, message) => {
		const { runtime } = await startedHost([{}, { writes: false }]);
		const error = await runtime.invokeBinding(name, { ...request, operation }).catch((error: unknown) => error);
		expect(error).toBeInstanceOf(NotFoundError);
		expect((error as Error).message).toBe(message);
	});

	test("is refused once the runtime was closed", async () => {
		const { runtime } = await startedHost([{}]);
		await runtime.close();
		await expect(runtime.invokeBinding("c0", request)).rejects.toThrow(StateError);
	});
});

test("components are listed with what they can do", async () => {
	const { runtime } = await startedHost([{}, { reads: "never" }, { reads: "always", writes: false }]);
	expect(runtime.components).toEqual([
		{ name: "c0", type: "bindings.test0", version: "v1", capabilities: ["INPUT_BINDING", "OUTPUT_BINDING"] },
		{ name: "c1", type: "bindings.test1", version: "v1", capabilities: ["OUTPUT_BINDING"] },
		{ name: "c2", type: "bindings.test2", version: "v1", capabilities: ["INPUT_BINDING"] },
	]);
});

test("what happens in a component is reported under its name", async () => {
	const { bindings, reports } = await startedHost([{}, {}]);
	bindings[1]?.report({ level: "info", code: "x", message: "m" });
	expect(reports).toContainEqual({ component: "c1", level: "info", code: "x", message: "m" });
});

describe("without an app", () => {
	test("components are connected, nothing is read, and it counts as started", async () => {
		const made = await startedHost([{}]);
		expect(made.bindings[0]).toMatchObject({ started: 1, isReading: false });
		expect(made.runtime.health()).toEqual({ ready: true, outboundReady: true, started: true, reasons: [] });
	});

	test("an input that should read is not ready, and says why", async () => {
		const made = await startedHost([{ reads: "always" }]);
		expect(made.runtime.health()).toMatchObject({ ready: false, reasons: [{ code: "no-app", component: "c0" }] });
		expect(made.bindings[0]?.isReading).toBe(false);
	});
});

test("a component's own reasons are its own, and only a blocking one makes not ready", async () => {
	const blocking = { code: "offline", message: "m", blocking: true };
	const made = await startedHost([{ reasons: [{ ...blocking, blocking: false }] }]);
	expect(made.runtime.health()).toMatchObject({ ready: true, reasons: [{ component: "c0", code: "offline" }] });
	const other = await startedHost([{ reasons: [blocking] }]);
	expect(other.runtime.health().ready).toBe(false);
	expect(other.runtime.health().started).toBe(true);
});

describe("with an app", () => {
	test("an input reads once the app has said yes, and its events arrive", async () => {
		const app = await startApp();
		const made = await startedHost([{}], { appChannel: channelTo(app.port) });
		expect(made.runtime.health()).toMatchObject({ outboundReady: true, ready: false, started: false });
		made.bindings[0]?.deliver("one");
		await eventually(() => expect(made.bindings[0]?.accepted).toHaveLength(1));
		expect(app.requests.map(({ method, path }) => `${method} ${path}`)).toEqual(["OPTIONS /c0", "POST /c0"]);
		expect(made.runtime.health()).toEqual({ ready: true, outboundReady: true, started: true, reasons: [] });
	});

	test("an input that reads always is not asked about; one that never reads neither", async () => {
		const app = await startApp();
		const made = await startedHost([{ reads: "always" }, { reads: "never" }], { appChannel: channelTo(app.port) });
		await eventually(() => expect(made.runtime.health()).toMatchObject({ ready: true, started: true }));
		expect(made.bindings.map(({ isReading }) => isReading)).toEqual([true, false]);
		expect(app.requests).toEqual([]);
	});

	test("that is not there yet, an input that reads always reads at once and its events wait without an attempt", async () => {
		const port = await closedPort();
		const made = await startedHost([{ reads: "always" }, {}], { appChannel: channelTo(port) });
		await eventually(() => expect(made.bindings[0]?.isReading).toBe(true));
		made.bindings[0]?.deliver("one");
		expect(made.runtime.health()).toMatchObject({ ready: false, started: false, outboundReady: true });
		expect(codes(made)).toEqual(["app-unreachable"]);
		await startApp(undefined, port);
		await eventually(() => expect(made.bindings[0]?.accepted).toHaveLength(1));
		expect(made.bindings[0]?.verdicts).toEqual([{ kind: "accepted" }]);
		await eventually(() => expect(made.bindings[1]?.isReading).toBe(true));
	});

	test("that says no, a component is an output only, and that is ready", async () => {
		const app = await startApp(({ method }) => (method === "POST" ? { delayMs: 10 } : 404));
		const made = await startedHost([{}, { reads: "always" }], { appChannel: channelTo(app.port) });
		await eventually(() => expect(made.runtime.health()).toMatchObject({ ready: true, started: true }));
		expect(codes(made)).toEqual(["input-declined"]);
		await made.runtime.invokeBinding("c0", request);
		for (let index = 1; index <= 20; index++) {
			made.bindings[1]?.deliver("the app stays");
			await eventually(() => expect(made.bindings[1]?.accepted).toHaveLength(index));
		}
		expect(app.requests.filter(({ method }) => method === "OPTIONS")).toHaveLength(1);
		expect(made.bindings[0]?.isReading).toBe(false);
	});

	test("that says no, messages that the session holds are said, and hinder nothing; before it has said so they do", async () => {
		const reasons = [{ code: "unread", message: "2 wait", blocking: true }];
		const port = await closedPort();
		const made = await startedHost([{ reasons }], { appChannel: channelTo(port) });
		expect(made.runtime.health().reasons).toContainEqual({ ...reasons[0], component: "c0" });
		await startApp(() => 404, port);
		await eventually(() => expect(codes(made)).toEqual(["input-declined", "unread"]));
		expect(made.runtime.health().ready).toBe(true);
		const alone = await startedHost([{ reasons }]);
		expect([alone.runtime.health().ready, codes(alone)]).toEqual([true, ["unread"]]);
	});

	test("that said no is asked again when its port comes back", async () => {
		const app = await startApp(({ path }) => (path === "/c0" ? 404 : 200));
		const made = await startedHost([{}, { reads: "always" }], { appChannel: channelTo(app.port) });
		await eventually(() => expect(codes(made)).toEqual(["input-declined"]));
		app.crash();
		made.bindings[1]?.deliver("finds nobody");
		await eventually(() => expect(codes(made)).toEqual(["app-unreachable"]));
		expect(made.bindings[0]?.isReading).toBe(false);
		await startApp(undefined, app.port);
		await eventually(() => expect(made.bindings[0]?.isReading).toBe(true));
		await eventually(() => expect(made.runtime.health()).toMatchObject({ ready: true, reasons: [] }));
	}, 15_000);

	test("that gives one input no answer, the others read, and that one is asked again", async () => {
		let hangs = true;
		const app = await startApp(({ path }) => (path === "/c0" && hangs ? "hang" : 200));
		const made = await startedHost([{}, {}], { appChannel: channelTo(app.port) });
		await eventually(() => expect(made.bindings[1]?.isReading).toBe(true));
		await eventually(() => expect(codes(made)).toEqual(["app-probe-failed"]));
		expect(made.runtime.health()).toMatchObject({ ready: false, started: true });
		hangs = false;
		await eventually(() => expect(made.bindings[0]?.isReading).toBe(true));
		expect(made.runtime.health().ready).toBe(true);
	});
});

describe("F-34: an app that goes away", () => {
	test("pauses every input, costs no attempt, and all goes on when it is back", async () => {
		const app = await startApp();
		const made = await startedHost([{}, {}], { appChannel: channelTo(app.port) });
		await eventually(() => expect(made.runtime.health().ready).toBe(true));
		app.crash();
		made.bindings[0]?.deliver("one");
		await eventually(() =>
			expect(made.bindings.map(({ paused }) => paused)).toEqual(["app unreachable", "app unreachable"]),
		);
		made.bindings[1]?.deliver("two");
		expect(made.runtime.health()).toMatchObject({ ready: false, started: true, outboundReady: true });
		expect(made.reports.filter(({ code }) => code === "app-unreachable")).toHaveLength(1);
		const back = await startApp(undefined, app.port);
		await eventually(() => expect(back.posts.map(({ path }) => path).toSorted()).toEqual(["/c0", "/c1"]));
		await eventually(() => expect(made.bindings.map(({ accepted }) => accepted.length)).toEqual([1, 1]));
		const kinds = made.bindings.flatMap(({ verdicts }) => verdicts.map(({ kind }) => kind));
		expect(kinds).not.toContain("failed");
		expect(made.runtime.health()).toMatchObject({ ready: true, reasons: [] });
	}, 15_000);

	test("F-85: with 200 events in its hands: all are handed over again, none counts as an attempt", async () => {
		const app = await startApp(({ method }) => (method === "POST" ? "hang" : 200));
		const made = await startedHost([{}], { appChannel: channelTo(app.port) });
		for (let index = 0; index < 200; index++) made.bindings[0]?.deliver(`${index}`);
		await eventually(() => expect(app.posts).toHaveLength(200));
		app.crash();
		await eventually(() => expect(codes(made)).toEqual(["app-unreachable"]));
		const back = await startApp(undefined, app.port);
		await eventually(() => expect(made.bindings[0]?.accepted).toHaveLength(200));
		const [first, second] = [made.bindings[0]?.verdicts.slice(0, 200), made.bindings[0]?.verdicts.slice(200)];
		expect(first).toEqual(Array(200).fill({ kind: "none", crashed: true }));
		expect(second).toEqual(Array(200).fill({ kind: "accepted" }));
		expect(new Set(back.posts.map(({ body }) => body.toString())).size).toBe(200);
	}, 15_000);
});

describe("with a health check", () => {
	const appHealth = { intervalMs: 10, threshold: 3 };

	/** An app with a script for its health, which takes everything else. */
	async function startWatchedApp(health: () => AppAnswer, port?: number) {
		return startApp(({ path }) => (path === "/healthz" ? health() : 200), port);
	}

	test("an app that is not well yet is asked nothing, and the start does not wait for it", async () => {
		let status = 503;
		const app = await startWatchedApp(() => status);
		const made = await startedHost([{}, { reads: "always" }], { appChannel: channelTo(app.port), appHealth });
		made.bindings[1]?.deliver("one");
		await eventually(() => expect(app.requests.length).toBeGreaterThan(5));
		expect(new Set(app.requests.map(({ method, path }) => `${method} ${path}`))).toEqual(new Set(["GET /healthz"]));
		expect(made.runtime.health()).toMatchObject({ started: true, outboundReady: true, ready: false });
		expect(made.runtime.health().reasons).toEqual([
			{ code: "app-unhealthy", message: expect.stringContaining("(GET /healthz answered 503)"), blocking: true },
		]);
		expect(made.bindings.map(({ paused }) => paused)).toEqual(["app unhealthy", "app unhealthy"]);
		status = 204;
		await eventually(() => expect(made.runtime.health()).toMatchObject({ ready: true, reasons: [] }));
		expect(made.bindings.map(({ isReading }) => isReading)).toEqual([true, true]);
		await eventually(() => expect(made.bindings[1]?.verdicts).toEqual([{ kind: "accepted" }]));
	});

	test("an app that is not there yet has not started", async () => {
		const made = await startedHost([{}], { appChannel: channelTo(await closedPort()), appHealth });
		expect(made.runtime.health()).toMatchObject({ started: false });
		expect(codes(made)).toEqual(["app-unreachable"]);
	});

	test.each<[string, AppAnswer]>([
		["answers with an error", 500],
		["does not answer in time", "hang"],
		["breaks off", "reset"],
	])("an app that %s pauses every input, costs no attempt, and all goes on with the first success", async (_, bad) => {
		let answer: AppAnswer = 200;
		const app = await startWatchedApp(() => answer);
		const appChannel = channelTo(app.port);
		const made = await startedHost([{}, { reads: "always" }], { appChannel, appHealth });
		await eventually(() => expect(made.runtime.health().ready).toBe(true));
		answer = bad;
		await eventually(() => expect(codes(made)).toEqual(["app-unhealthy"]));
		for (const binding of made.bindings) binding.deliver("waits");
		expect(made.bindings.map(({ paused }) => paused)).toEqual(["app unhealthy", "app unhealthy"]);
		expect(made.runtime.health()).toMatchObject({ ready: false, started: true });
		const probes = app.requests.length;
		await eventually(() => expect(app.requests.length).toBeGreaterThan(probes + 1));
		expect(app.posts).toEqual([]);
		answer = 200;
		await eventually(() => expect(app.posts.map(({ path }) => path).toSorted()).toEqual(["/c0", "/c1"]));
		await eventually(() =>
			expect(made.bindings.flatMap(({ verdicts }) => verdicts)).toEqual(Array(2).fill({ kind: "accepted" })),
		);
		expect(made.reports.filter(({ code }) => code === "app-unhealthy")).toMatchObject([{ level: "warn" }]);
		expect(made.runtime.health()).toMatchObject({ ready: true, reasons: [] });
	});

	test("failures with a success between them change nothing", async () => {
		let probes = 0;
		const app = await startWatchedApp(() => (probes++ % 3 === 0 ? 200 : 503));
		const made = await startedHost([{}], { appChannel: channelTo(app.port), appHealth });
		await eventually(() => expect(made.runtime.health().ready).toBe(true));
		await eventually(() => expect(probes).toBeGreaterThan(20));
		expect(made.reports.filter(({ code }) => code === "app-unhealthy")).toEqual([]);
		expect(made.bindings[0]?.paused).toBeUndefined();
	});

	test("a delivery that the app has already is left to it", async () => {
		let release = (_status: number) => {};
		const answered = new Promise<number>((resolve) => {
			release = resolve;
		});
		let status = 200;
		const app = await startApp(({ method, path }) =>
			method === "POST" ? answered : path === "/healthz" ? status : 200,
		);
		const made = await startedHost([{}], { appChannel: channelTo(app.port), appHealth });
		made.bindings[0]?.deliver("one");
		await eventually(() => expect(app.posts).toHaveLength(1));
		status = 503;
		await eventually(() => expect(codes(made)).toEqual(["app-unhealthy"]));
		release(200);
		await eventually(() => expect(made.bindings[0]?.verdicts).toEqual([{ kind: "accepted" }]));
	});

	test("an app that crashes and comes back unwell gets its events when port and health agree", async () => {
		const app = await startWatchedApp(() => 200);
		const made = await startedHost([{}], { appChannel: channelTo(app.port), appHealth });
		await eventually(() => expect(made.runtime.health().ready).toBe(true));
		app.crash();
		// Nobody delivers anything: it is the probe that finds nobody.
		await eventually(() => expect(codes(made)).toEqual(["app-unreachable"]));
		made.bindings[0]?.deliver("one");
		let status = 503;
		const back = await startWatchedApp(() => status, app.port);
		await eventually(() => expect(codes(made)).toEqual(["app-unhealthy"]));
		expect(back.posts).toEqual([]);
		status = 200;
		await eventually(() => expect(made.bindings[0]?.verdicts).toEqual([{ kind: "accepted" }]));
	});

	test("an app that said no is asked again once it was unhealthy", async () => {
		let status = 200;
		let wanted = 404;
		const app = await startApp(({ path }) => (path === "/healthz" ? status : wanted));
		const made = await startedHost([{}], { appChannel: channelTo(app.port), appHealth });
		await eventually(() => expect(codes(made)).toEqual(["input-declined"]));
		status = 503;
		await eventually(() => expect(codes(made)).toEqual(["app-unhealthy"]));
		expect(made.runtime.health().ready).toBe(true);
		status = 200;
		wanted = 200;
		await eventually(() => expect(made.bindings[0]?.isReading).toBe(true));
	});

	test("is watched until close(), beyond drain(), and its end is told", async () => {
		let status = 200;
		const app = await startWatchedApp(() => status);
		const made = await startedHost([{}], { appChannel: channelTo(app.port), appHealth });
		await eventually(() => expect(made.runtime.health().ready).toBe(true));
		await made.runtime.drain();
		let gone = false;
		const waiting = made.runtime.untilAppGone().then(() => {
			gone = true;
		});
		const probes = app.requests.length;
		await eventually(() => expect(app.requests.length).toBeGreaterThan(probes + 2));
		expect(gone).toBe(false);
		status = 503;
		await waiting;
		await made.runtime.close();
	});
});

describe("the end of the app", () => {
	test("is told when its port is closed, though nothing is handed over any more", async () => {
		const app = await startApp();
		const made = await startedHost([{}], { appChannel: channelTo(app.port) });
		await eventually(() => expect(made.runtime.health().ready).toBe(true));
		await made.runtime.drain();
		const waiting = made.runtime.untilAppGone();
		app.crash();
		await waiting;
		expect(codes(made)).toContain("app-unreachable");
	});

	test("is told at once when it never was there, and when the runtime is closed", async () => {
		const absent = await startedHost([{}], { appChannel: channelTo(await closedPort()) });
		await absent.runtime.untilAppGone();
		const app = await startApp();
		const made = await startedHost([{}], { appChannel: channelTo(app.port) });
		await eventually(() => expect(made.runtime.health().ready).toBe(true));
		const waiting = made.runtime.untilAppGone();
		await made.runtime.close();
		await waiting;
	});
});

describe("stopping", () => {
	test("waits for the events at the app, hands no new ones over, and serves create meanwhile", async () => {
		let release = () => {};
		const gate = new Promise<void>((resolve) => {
			release = resolve;
		});
		const app = await startApp(async ({ method }) => {
			if (method === "POST") await gate;
			return 200;
		});
		const made = await startedHost([{}], { appChannel: channelTo(app.port) });
		made.bindings[0]?.deliver("one");
		await eventually(() => expect(app.posts).toHaveLength(1));
		const drained = made.runtime.drain();
		expect(made.runtime.drain()).toBe(drained);
		made.bindings[0]?.deliver("two");
		await made.runtime.invokeBinding("c0", request);
		expect(made.runtime.health()).toMatchObject({ ready: false, outboundReady: true });
		expect(codes(made)).toEqual(["stopping"]);
		release();
		expect(await drained).toBe(true);
		await made.runtime.close();
		expect(app.posts).toHaveLength(1);
		expect(made.bindings[0]).toMatchObject({ closed: true, verdicts: [{ kind: "accepted" }] });
		expect(made.runtime.health().outboundReady).toBe(false);
	});

	test("gives up on events at the app when the grace period ends, without a verdict", async () => {
		const app = await startApp(({ method }) => (method === "POST" ? "hang" : 200));
		const made = await startedHost([{}], { appChannel: channelTo(app.port), gracePeriodMs: 30 });
		made.bindings[0]?.deliver("one");
		await eventually(() => expect(app.posts).toHaveLength(1));
		expect(await made.runtime.drain()).toBe(false);
		await made.runtime.close();
		await eventually(() => expect(made.bindings[0]?.verdicts).toEqual([{ kind: "none" }]));
	});

	test("without a grace period waits as long as it takes, until it is closed", async () => {
		const app = await startApp(({ method }) => (method === "POST" ? "hang" : 200));
		const made = await startedHost([{}], { appChannel: channelTo(app.port), gracePeriodMs: 0 });
		made.bindings[0]?.deliver("one");
		await eventually(() => expect(app.posts).toHaveLength(1));
		const drained = made.runtime.drain();
		await made.runtime.close();
		expect(await drained).toBe(false);
	});

	test("while the app is looked for or asked leaves nothing behind", async () => {
		const app = await startApp(() => "hang");
		const made = await startedHost([{}], { appChannel: channelTo(app.port) });
		await eventually(() => expect(app.requests).toHaveLength(1));
		const absent = await startedHost([{}], { appChannel: channelTo(await closedPort()) });
		for (const { runtime } of [made, absent]) {
			expect(await runtime.drain()).toBe(true);
			await Promise.all([runtime.close(), runtime.close()]);
		}
		expect([...made.reports, ...absent.reports].filter(({ level }) => level === "error")).toEqual([]);
	});

	test("before it was started closes the components", async () => {
		const { runtime, bindings } = host([{}]);
		await runtime.init();
		await runtime.close();
		expect(bindings[0]).toMatchObject({ started: 0, closed: true });
	});
});

async function closedPort(): Promise<number> {
	const app = await HttpApp.start();
	await app[Symbol.asyncDispose]();
	return app.port;
}
