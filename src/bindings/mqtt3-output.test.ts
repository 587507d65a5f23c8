import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../../test/support/eventually.js";
import { type Broker, type BrokerMessage, startBroker } from "../broker/broker.js";
import { ConfigurationError, NotFoundError, PublishError } from "../errors.js";
import { MqttClient } from "../mqtt/client.js";
import { type Mqtt3Options, resolveOptions } from "./mqtt3-options.js";
import { Mqtt3Output, publishTopicProblem } from "./mqtt3-output.js";

let broker: Broker;
let client: MqttClient;
const published: BrokerMessage[] = [];

/** An output over the one client, which need not be that of its settings. */
function output(options: Partial<Mqtt3Options> = {}): Mqtt3Output {
	return new Mqtt3Output("orders", settings(options), client);
}

function settings(options: Partial<Mqtt3Options> = {}) {
	return resolveOptions({ url: broker.url, topic: "default", clientId: "output-test", ...options });
}

beforeAll(async () => {
	broker = await startBroker();
	broker.onPublish((message) => published.push(message));
	const all = settings();
	client = new MqttClient({ ...all, url: all.brokers[0]!, subscriptions: [] });
	await client.connect();
});
afterAll(async () => {
	await client?.close();
	await broker?.close();
});

/** Invokes `create` and resolves with what the broker got. */
async function create(
	of: Mqtt3Output,
	request: { data?: string; dataIsJson?: boolean; metadata?: Record<string, string> },
) {
	const from = published.length;
	const { data = "x", metadata = {}, dataIsJson = false } = request;
	await of.invoke({ operation: "create", data: Buffer.from(data), dataIsJson, metadata });
	const { payload, ...rest } = await eventually(() => published[from] ?? Promise.reject(new Error("nothing came")));
	return { payload: Buffer.from(payload).toString("latin1"), ...rest };
}

async function errorOf(of: Mqtt3Output, metadata: Record<string, string>, data = "x", dataIsJson = false) {
	const from = published.length;
	const error = await of.invoke({ operation: "create", data: Buffer.from(data), dataIsJson, metadata }).then(
		() => Promise.reject(new Error("it was published")),
		(reason: unknown) => reason,
	);
	expect(error).toBeInstanceOf(ConfigurationError);
	const { component, property, message } = error as ConfigurationError;
	expect([component, published.length]).toEqual(["orders", from]);
	return { property, message };
}

describe("what is published", () => {
	it("has topic, QoS and retain of the component where the request says nothing", async () => {
		const client = "output-test";
		expect(await create(output(), {})).toEqual({
			payload: "x",
			topic: "default",
			qos: 1,
			retain: false,
			clientId: client,
		});
		expect(await create(output({ qos: 0, retain: true }), {})).toMatchObject({ qos: 0, retain: true });
	});

	it.each(["true", "TRUE", "yes", "y", "t", "on", "1"])("retain may be said as %s", async (retain) => {
		expect(await create(output(), { metadata: { retain } })).toMatchObject({ retain: true });
	});

	it.each(["false", "No", "n", "f", "off", "0"])("and taken back as %s", async (retain) => {
		expect(await create(output({ retain: true }), { metadata: { retain } })).toMatchObject({ retain: false });
	});

	it("empty metadata says nothing", async () => {
		const metadata = { topic: "", retain: "", qos: "" };
		const message = await create(output({ retain: true, qos: 2 }), { metadata });
		expect(message).toMatchObject({ topic: "default", retain: true, qos: 2 });
	});

	it("names are compared without regard to case, and an exact one wins, wherever it stands", async () => {
		expect(await create(output(), { metadata: { Topic: "a", topic: "b" } })).toMatchObject({ topic: "b" });
		expect(await create(output(), { metadata: { topic: "b", TOPIC: "a" } })).toMatchObject({ topic: "b" });
		expect(await create(output(), { metadata: { tOPIC: "a", retaiN: "1", QOS: "2" } })).toMatchObject({
			topic: "a",
			retain: true,
			qos: 2,
		});
	});

	it("names that belong to the language are no fields", async () => {
		const metadata = Object.create({ topic: "inherited" }) as Record<string, string>;
		metadata.constructor = "x" as never;
		expect(await create(output(), { metadata })).toMatchObject({ topic: "default" });
	});

	it("bytes go out as they are, whatever the component's encoding", async () => {
		const of = output({ encoding: "base64" });
		expect(await create(of, { data: "aGk=" })).toMatchObject({ payload: "aGk=" });
		expect(await create(of, { data: "" })).toMatchObject({ payload: "" });
	});

	it("JSON goes out by the request's encoding, else by the component's", async () => {
		const json = { data: '"aGk="', dataIsJson: true };
		expect(await create(output(), json)).toMatchObject({ payload: '"aGk="' });
		expect(await create(output({ encoding: "base64" }), json)).toMatchObject({ payload: "hi" });
		const utf8 = { ...json, metadata: { encoding: "utf8" } };
		expect(await create(output({ encoding: "base64" }), utf8)).toMatchObject({ payload: "aGk=" });
		expect(await create(output({ encoding: "base64" }), { data: "", dataIsJson: true })).toMatchObject({ payload: "" });
	});
});

describe("what is refused, with the field at fault and before the connection is touched", () => {
	it.each([
		["qos", { qos: "3" }, /^qos: .*"3"/],
		["qos", { qos: "one" }, /^qos: .*"one"/],
		["retain", { retain: "maybe" }, /^retain: .*"maybe"/],
		["topic", { topic: "a/#" }, /^topic "a\/#": holds a wildcard/],
		["topic", { topic: "$SYS" }, /^topic "\$SYS": \$SYS belongs to the broker$/],
		["topic", { topic: "$share/g/t" }, /^topic "\$share\/g\/t": \$share is for subscriptions$/],
		["encoding", { encoding: "utf8" }, /bytes are sent as they are$/],
		["encoding", { encoding: "" }, /bytes are sent as they are$/],
	])("%s of %j", async (property, metadata, message) => {
		expect(await errorOf(output(), metadata as never)).toEqual({ property, message: expect.stringMatching(message) });
	});

	it("JSON that does not fit its encoding", async () => {
		const error = await errorOf(output({ encoding: "utf8" }), {}, "{}", true);
		expect(error).toEqual({ property: "encoding", message: "encoding utf8: data must be a JSON string" });
		expect(await errorOf(output(), { encoding: "gzip" }, '""', true)).toMatchObject({ property: "encoding" });
	});

	it.each(["a/+", "#", "$share/g/t"])("no topic, where the component's own is the filter %s", async (topic) => {
		const { property, message } = await errorOf(output({ topic }), {});
		expect(property).toBe("topic");
		expect(message).toContain(JSON.stringify(topic));
		expect(message).toMatch(/name one in the request's metadata$/);
		expect(await create(output({ topic }), { metadata: { topic: "own" } })).toMatchObject({ topic: "own" });
	});

	it("a long topic is named by its beginning", async () => {
		const { message } = await errorOf(output(), { topic: `${"x".repeat(70_000)}` });
		expect(message).toMatch(/^topic "x{100}…": is longer than 65535 bytes/);
	});

	it("an operation that there is not", async () => {
		const request = { operation: "delete", data: Buffer.alloc(0), metadata: {} };
		await expect(output().invoke(request)).rejects.toThrow(NotFoundError);
		await expect(output().invoke(request)).rejects.toThrow(
			"binding orders does not support operation delete. supported operations:create",
		);
	});
});

it("a cancelled call is not sent", async () => {
	const from = published.length;
	const call = output().invoke({ operation: "create", data: Buffer.from("x"), metadata: {} }, AbortSignal.abort());
	await expect(call).rejects.toMatchObject({ outcome: "not-sent" });
	await expect(call).rejects.toThrow(PublishError);
	await create(output(), { data: "next" });
	expect(published.slice(from)).toHaveLength(1);
});

it.each([
	["$SYStem", undefined],
	["$share", undefined],
	["a/$SYS/b", undefined],
	["", "is empty"],
])("a topic %j can be published to: %s", (topic, problem) => {
	expect(publishTopicProblem(topic)).toBe(problem);
});
