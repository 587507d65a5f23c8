import { expect, onTestFinished, test } from "vitest";
import { type Broker, startBroker } from "../../../src/broker/broker.js";
import { InvokeRequest, OutputBindingService } from "../../../src/gen/dapr/proto/components/v1/bindings.js";
import { PluggableServer, socketPath } from "../../../src/pluggable/pluggable-server.js";
import { Daprd, type DaprdApp, failureOf } from "../../support/daprd.js";
import { eventually } from "../../support/eventually.js";
import { GrpcCaller } from "../../support/grpc-caller.js";
import { tempFolder } from "../../support/temp-folder.js";

/** A component in this process, a broker, and what was reported. */
async function stage() {
	const folder = await tempFolder();
	const broker = await startBroker();
	const reports: string[] = [];
	const server = new PluggableServer({
		folder: folder.path,
		names: ["mqtt3"],
		onReport: (component, { code }) => void reports.push(`${component} ${code}`),
		onBug: (error) => queueMicrotask(() => Promise.reject(error)),
	});
	await server.listen();
	return {
		broker,
		server,
		reports,
		socket: socketPath(folder.path, "mqtt3"),
		properties: (more: Readonly<Record<string, string>> = {}) => ({
			url: broker.url,
			topic: "in/#",
			consumerID: "plugged",
			...more,
		}),
		async [Symbol.asyncDispose]() {
			await server.drain(AbortSignal.abort());
			await server.close();
			await broker.close();
			await folder[Symbol.asyncDispose]();
		},
	};
}

/** An app that answers when it is told to. */
function slowApp(): { readonly app: DaprdApp; readonly waiting: Map<string, (answer: string | undefined) => void> } {
	const waiting = new Map<string, (answer: string | undefined) => void>();
	const app: DaprdApp = ({ data }) => new Promise((resolve) => waiting.set(data.toString(), resolve));
	return { app, waiting };
}

function texts(daprd: Daprd): readonly string[] {
	return daprd.events.map(({ data }) => data.toString());
}

async function publish(broker: Broker, ...payloads: readonly string[]): Promise<void> {
	for (const payload of payloads) await broker.publish("in/x", payload);
}

test("the component is quiet until somebody reads or invokes: Init connects to nothing", async () => {
	await using on = await stage();
	await using daprd = await Daprd.create({ socket: on.socket, properties: on.properties() });
	await daprd.init();
	expect(on.broker.clients).toEqual([]);
	await daprd.invoke({ metadata: { topic: "out" } });
	expect(on.broker.clients).toEqual(["plugged"]);
});

test("Init with properties that can't be meant is refused with the sidecar's sentence, and what there was goes on", async () => {
	await using on = await stage();
	await using daprd = await Daprd.create({ socket: on.socket, properties: on.properties() });
	await daprd.init();
	const { code, details } = await failureOf(daprd.initInput(on.properties({ qos: "3", retain: "maybe" })));
	expect(code).toBe("INVALID_ARGUMENT");
	expect(details).toMatch(/component "orders".*"qos".*3/);
	expect(details).toMatch(/"retain".*maybe/);
	daprd.read();
	await daprd.ping("input");
	await publish(on.broker, "a");
	await eventually(() => expect(texts(daprd)).toEqual(["a"]));
});

test("answers go by message id, in any order, and acknowledgements leave in order of arrival [MQTT-4.6.0-2]", async () => {
	await using on = await stage();
	const { app, waiting } = slowApp();
	await using daprd = await Daprd.start({ socket: on.socket, properties: on.properties(), app });
	await daprd.ping("input");
	await publish(on.broker, "a", "b", "c");
	await eventually(() => expect(waiting.size).toBe(3));
	expect(new Set(daprd.events.map(({ messageId }) => messageId)).size).toBe(3);
	waiting.get("c")?.(undefined);
	waiting.get("b")?.(undefined);
	await eventually(() =>
		expect(on.server.instances.get("orders").bindings[0]?.binding.statistics().input?.inFlight).toBe(1),
	);
	expect(on.server.instances.get("orders").bindings[0]?.binding.statistics().input?.unacknowledged).toBe(3);
	waiting.get("a")?.(undefined);
	await eventually(() =>
		expect(on.server.instances.get("orders").bindings[0]?.binding.statistics().input?.unacknowledged).toBe(0),
	);
});

test("answers to what was not sent, was answered, or belongs to an older stream are ignored and counted", async () => {
	await using on = await stage();
	const { app, waiting } = slowApp();
	await using daprd = await Daprd.start({ socket: on.socket, properties: on.properties(), app });
	await daprd.ping("input");
	await publish(on.broker, "a", "b");
	await eventually(() => expect(waiting.size).toBe(2));
	daprd.answer({ messageId: "4711" });
	waiting.get("a")?.(undefined);
	await eventually(() => expect(unacknowledged(on)).toBe(1));
	daprd.answer({ messageId: daprd.events[0]!.messageId });
	daprd.answer({ messageId: "" });
	await eventually(() => expect(on.reports.filter((line) => line === "orders unknown-message-id")).toHaveLength(2));
	expect(unacknowledged(on)).toBe(1);
	// The next stream begins with ids of its own: those of this one say nothing on it.
	const [, b] = daprd.events;
	await daprd.cancelRead();
	daprd.read();
	await eventually(() => expect(texts(daprd)).toEqual(["a", "b", "b"]));
	daprd.answer({ messageId: b!.messageId === daprd.events[2]!.messageId ? "99" : b!.messageId });
	expect(unacknowledged(on)).toBe(1);
	waiting.get("b")?.(undefined);
	await eventually(() => expect(unacknowledged(on)).toBe(0));
});

function unacknowledged(on: Awaited<ReturnType<typeof stage>>): number | undefined {
	return on.server.instances.get("orders").bindings[0]?.binding.statistics().input?.unacknowledged;
}

test('"input binding is closed" is no verdict: no attempt is used up, and the next Read gets it on the same connection', async () => {
	await using on = await stage();
	const { app, waiting } = slowApp();
	const properties = on.properties({ deadLetterTopic: "dead" });
	const dead: string[] = [];
	on.broker.onPublish(({ topic }) => void (topic === "dead" && dead.push(topic)));
	await using daprd = await Daprd.start({ socket: on.socket, properties, app });
	await daprd.ping("input");
	await publish(on.broker, "a");
	await eventually(() => expect(waiting.size).toBe(1));
	const stopped = daprd.stopReading();
	await publish(on.broker, "b");
	await eventually(() => expect(daprd.events.length).toBeGreaterThanOrEqual(2));
	waiting.get("a")?.(undefined);
	await stopped;
	expect(unacknowledged(on)).toBe(1);
	daprd.app = () => undefined;
	daprd.read();
	await eventually(() => expect(unacknowledged(on)).toBe(0));
	expect(dead).toEqual([]);
	expect(daprd.events.at(-1)).toMatchObject({ metadata: { topic: "in/x" } });
	expect(daprd.events.at(-1)?.metadata.attempt).toBeUndefined();
	expect(statistics(on).connections[0]?.connects).toBe(1);
});

function statistics(on: Awaited<ReturnType<typeof stage>>) {
	return on.server.instances.get("orders").bindings[0]!.binding.statistics();
}

test("a second Read takes over: what the first had is no verdict and goes to the second", async () => {
	await using on = await stage();
	const { app, waiting } = slowApp();
	await using daprd = await Daprd.start({ socket: on.socket, properties: on.properties(), app });
	await daprd.ping("input");
	await publish(on.broker, "a");
	await eventually(() => expect(waiting.size).toBe(1));
	daprd.app = () => undefined;
	daprd.read();
	await eventually(() => expect(texts(daprd)).toEqual(["a", "a"]));
	await eventually(() => expect(unacknowledged(on)).toBe(0));
	expect(daprd.ended).toMatchObject([{ details: /another Read took over/ }]);
});

test("a second daprd with the same component name is told to use a folder of its own; the first is untouched", async () => {
	await using on = await stage();
	await using first = await Daprd.start({ socket: on.socket, properties: on.properties() });
	await first.ping("input");
	await using second = await Daprd.create({ socket: on.socket, properties: on.properties({ topic: "other" }) });
	expect(await failureOf(second.initInput())).toMatchObject({
		code: "ALREADY_EXISTS",
		details: expect.stringMatching(/one socket folder per app/),
	});
	await publish(on.broker, "a");
	await eventually(() => expect(texts(first)).toEqual(["a"]));
});

test("two components of one client identifier are refused while both are in use; one that is left over gives way", async () => {
	await using on = await stage();
	const first = await Daprd.create({ socket: on.socket, component: "one", properties: on.properties() });
	await first.init();
	await using second = await Daprd.create({ socket: on.socket, component: "two", properties: on.properties() });
	const { code, details } = await failureOf(second.initInput());
	expect(code).toBe("ALREADY_EXISTS");
	expect(details).toMatch(/component "two" and component "one".*consumerID.*splitConnections/);
	await first[Symbol.asyncDispose]();
	await eventually(() => second.init());
	second.read();
	await second.ping("input");
});

test("{uuid} makes other properties of the two halves: each has its own connection", async () => {
	await using on = await stage();
	await using daprd = await Daprd.start({
		socket: on.socket,
		properties: on.properties({ consumerID: "in-1", cleanSession: "true" }),
		outputProperties: on.properties({ consumerID: "out-1", cleanSession: "true" }),
	});
	await daprd.ping("input");
	await daprd.invoke({ data: Buffer.from("1"), metadata: { topic: "in/x" } });
	expect([...on.broker.clients].sort()).toEqual(["in-1", "out-1"]);
	await eventually(() => expect(texts(daprd)).toEqual(["1"]));
});

test("the same properties again change nothing; other ones replace the binding, and what is at the broker goes on", async () => {
	await using on = await stage();
	await using daprd = await Daprd.start({ socket: on.socket, properties: on.properties() });
	await daprd.ping("input");
	await daprd.cancelRead();
	await daprd.init();
	daprd.read();
	await publish(on.broker, "a");
	await eventually(() => expect(texts(daprd)).toEqual(["a"]));
	expect(statistics(on).connections[0]?.connects).toBe(1);
	await daprd.cancelRead();
	await publish(on.broker, "b");
	await daprd.init(on.properties({ topics: '["more/#"]' }));
	daprd.read();
	await eventually(() => expect(texts(daprd)).toEqual(["a", "b"]));
	expect(on.broker.clients).toEqual(["plugged"]);
	await on.broker.publish("more/x", "c");
	await eventually(() => expect(texts(daprd)).toEqual(["a", "b", "c"]));
});

test("Read and Ping before Init are refused with the remedy; Ping tells whether the broker is there", async () => {
	await using on = await stage();
	await using daprd = await Daprd.create({ socket: on.socket, properties: on.properties() });
	daprd.read();
	await eventually(() => expect(daprd.ended).toHaveLength(1));
	expect(daprd.ended).toMatchObject([{ code: 9, details: /not initialized.*restart daprd/ }]);
	expect(await failureOf(daprd.ping("output"))).toMatchObject({ code: "FAILED_PRECONDITION" });
	await daprd.init();
	await daprd.ping("output");
	await on.broker.close();
	await eventually(async () => expect((await failureOf(daprd.ping("output"))).details).toMatch(/orders/), {
		timeoutMs: 15_000,
	});
});

test("an app's refusal names its status, for dropOn and deadLetterOn", async () => {
	await using on = await stage();
	const answers: Record<string, string> = {
		http: "fails to send binding event to http app channel, status code: 422 body: no",
		grpc: "error invoking app: rpc error: code = InvalidArgument desc = no",
	};
	const dead: string[] = [];
	on.broker.onPublish(({ topic, payload }) => {
		if (topic === "dead")
			dead.push(Buffer.from(JSON.parse(Buffer.from(payload).toString()).payload, "base64").toString());
	});
	await using daprd = await Daprd.start({
		socket: on.socket,
		properties: on.properties({ deadLetterOn: "422", dropOn: "INVALID_ARGUMENT", deadLetterTopic: "dead" }),
		app: ({ data }) => answers[data.toString()],
	});
	await daprd.ping("input");
	await publish(on.broker, "http", "grpc");
	await eventually(() => expect(dead).toEqual(["http"]));
	await eventually(() => expect(statistics(on).input?.dropped["drop-on"]).toBe(1));
});

test("a message over 4 MiB never goes onto the stream: it is held, visible, and the others flow", async () => {
	await using on = await stage();
	await using daprd = await Daprd.start({ socket: on.socket, properties: on.properties({ maxPayloadSize: "8Mi" }) });
	await daprd.ping("input");
	await on.broker.publish("in/big", Buffer.alloc(4 * 2 ** 20));
	await on.broker.publish("in/bigger", Buffer.alloc(5 * 2 ** 20));
	await publish(on.broker, "after");
	await eventually(() => expect(texts(daprd)).toEqual(["after"]));
	expect(on.server.instances.get("orders").health()).toMatchObject([
		{ code: "oversized", message: /4194304 bytes on topic "in\/big"/ },
		{ code: "oversized", message: /5242880 bytes on topic "in\/bigger"/ },
	]);
	await eventually(() => expect(unacknowledged(on)).toBe(2));
	expect(daprd.isReading).toBe(true);
});

test("a message over 4 MiB is dead-lettered where that is configured, and acknowledged", async () => {
	await using on = await stage();
	const dead: number[] = [];
	on.broker.onPublish(({ topic, payload }) => void (topic === "dead/in/big" && dead.push(payload.length)));
	const properties = on.properties({
		maxPayloadSize: "8Mi",
		deadLetterTopic: "dead",
		deadLetterFormat: "raw",
		ordering: "topic",
	});
	await using daprd = await Daprd.start({ socket: on.socket, properties });
	await daprd.ping("input");
	await on.broker.publish("in/big", Buffer.alloc(4 * 2 ** 20));
	await on.broker.publish("in/big", "after");
	await eventually(() => expect(dead).toEqual([4 * 2 ** 20]));
	await eventually(() => expect(texts(daprd)).toEqual(["after"]));
	await eventually(() => expect(unacknowledged(on)).toBe(0));
});

test("bad requests get a status that says what was wrong: operation, topic, qos, data", async () => {
	await using on = await stage();
	await using daprd = await Daprd.start({ socket: on.socket, direction: "output", properties: on.properties() });
	const failures = [
		await failureOf(daprd.invoke({ operation: "delete" })),
		await failureOf(daprd.invoke({ metadata: { topic: "a/#" } })),
		await failureOf(daprd.invoke({ metadata: { topic: "out", qos: "3" } })),
		await failureOf(daprd.invoke({ metadata: { topic: "out", encoding: "utf8" }, data: Buffer.from("{}") })),
		await failureOf(daprd.invoke({})),
	];
	expect(failures.map(({ code }) => code)).toEqual(Array(5).fill("INVALID_ARGUMENT"));
	expect(failures.map(({ details }) => details).join("\n")).toMatch(
		/delete[^\n]*supported operations:create\n[^\n]*"a\/#"[^\n]*\nqos: [^\n]*\nencoding utf8: [^\n]*\n[^\n]*"in\/#"[^\n]*name one/,
	);
});

test("a message that is not what the method takes, or whose text is not UTF-8, is refused with a sentence", async () => {
	await using on = await stage();
	await using daprd = await Daprd.start({ socket: on.socket, direction: "output", properties: on.properties() });
	await daprd.invoke({ metadata: { topic: "out" } });
	using caller = new GrpcCaller(`unix:${on.socket}`);
	const { invoke, init } = OutputBindingService;
	const topic = (value: string) => ({ operation: "create", data: Buffer.from("x"), metadata: { topic: value } });
	const damaged = Buffer.from(InvokeRequest.encode(topic("o!t")).finish());
	damaged[damaged.indexOf("!")] = 0xff;
	const raw = { requestSerialize: (bytes: Buffer) => bytes };
	const outcomes = [
		await caller.call({ ...invoke, ...raw }, damaged),
		await caller.call({ ...invoke, ...raw }, Buffer.of(0xff)),
		await caller.call({ ...init, ...raw }, Buffer.of(0xff)),
	];
	expect(outcomes.map(({ code, details }) => `${code}: ${details}`)).toEqual([
		"INVALID_ARGUMENT: a text in the message is not UTF-8",
		"INVALID_ARGUMENT: the message is not an InvokeRequest",
		"INVALID_ARGUMENT: the message is not an OutputBindingInitRequest",
	]);
});

test("a deadline and a cancelled call reach the publish, with a truthful status", async () => {
	await using on = await stage();
	await using daprd = await Daprd.start({ socket: on.socket, direction: "output", properties: on.properties() });
	await on.broker.close();
	await eventually(async () => {
		const { code } = await failureOf(daprd.invoke({ metadata: { topic: "out" } }, { deadlineMs: 200 }));
		expect(code).toBe("DEADLINE_EXCEEDED");
	});
	const controller = new AbortController();
	const call = failureOf(daprd.invoke({ metadata: { topic: "out" } }, { signal: controller.signal }));
	await eventually(() => expect(statistics(on).connections[0]?.publishesPending).toBe(1));
	controller.abort();
	expect((await call).code).toBe("CANCELLED");
	await eventually(() => expect(statistics(on).connections[0]?.publishesPending).toBe(0));
});

test.each([{}, { handlerTimeout: "10s" }])(
	"many Reads of one binding leave no listener at its signals: %j",
	async (more) => {
		const left = new Map<EventTarget, number>();
		const count = (change: number) => (real: (...args: never[]) => void) =>
			function (this: EventTarget, ...args: never[]) {
				if (this instanceof AbortSignal && String(args[0]) === "abort" && isOfReadStream()) {
					left.set(this, (left.get(this) ?? 0) + change);
				}
				real.apply(this, args);
			};
		const { addEventListener: add, removeEventListener: remove } = EventTarget.prototype;
		EventTarget.prototype.addEventListener = count(1)(add as never);
		EventTarget.prototype.removeEventListener = count(-1)(remove as never);
		onTestFinished(() => {
			Object.assign(EventTarget.prototype, { addEventListener: add, removeEventListener: remove });
		});
		await using on = await stage();
		await using daprd = await Daprd.start({ socket: on.socket, properties: on.properties(more) });
		await daprd.ping("input");
		for (let read = 1; read <= 20; read++) {
			await publish(on.broker, String(read));
			await eventually(() => expect(texts(daprd)).toHaveLength(read));
			await eventually(() => expect(unacknowledged(on)).toBe(0));
			await daprd.cancelRead();
			daprd.read();
		}
		expect(left.size).toBeGreaterThan(0);
		expect([...left.values()].reduce((sum, listeners) => sum + listeners, 0)).toBe(0);
	},
);

function isOfReadStream(): boolean {
	return new Error().stack?.includes("read-stream") ?? false;
}
