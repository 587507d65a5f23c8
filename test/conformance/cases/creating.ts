import { expect } from "vitest";
import { eventually } from "../../support/eventually.js";
import { connectDevice } from "../../support/mqtt-device.js";
import type { Case, CaseGroup } from "../case.js";
import type { CreateCall } from "../face.js";
import type { Stage } from "../stage.js";

const JSON_FACES = ["component", "sidecar", "pluggable"] as const;
const TOO_LONG = "x".repeat(65_536);

/** What is wrong with a request, and what the answer must name. */
const wrong: readonly { readonly what: string; readonly metadata: Record<string, string>; readonly says: RegExp }[] = [
	{ what: "a topic with +", metadata: { topic: "a/+/b" }, says: /"a\/\+\/b".*wildcard/ },
	{ what: "a topic with #", metadata: { topic: "#" }, says: /"#".*wildcard/ },
	{ what: "a topic with U+0000", metadata: { topic: "a\0b" }, says: /topic .*U\+0000/ },
	{ what: "a topic with half a surrogate pair", metadata: { topic: "a\ud800" }, says: /topic / },
	{ what: "a topic of 65,536 bytes", metadata: { topic: TOO_LONG }, says: /^topic "x{100}….*65,?535/ },
	{ what: "a topic of the broker's own", metadata: { topic: "$SYS/x" }, says: /\$SYS/ },
	{ what: "a shared subscription as topic", metadata: { topic: "$share/g/x" }, says: /\$share/ },
	{ what: "qos 3", metadata: { qos: "3" }, says: /^qos: .*3/ },
	{ what: "a retain that is no boolean", metadata: { retain: "maybe" }, says: /^retain: .*maybe/ },
];

const wrongForJson: readonly { readonly what: string; readonly call: CreateCall; readonly says: RegExp }[] = [
	{ what: "an unknown encoding", call: { data: '"x"', metadata: { encoding: "utf16" } }, says: /^encoding: .*utf16/ },
	{ what: "utf8 of a number", call: { data: "5", metadata: { encoding: "utf8" } }, says: /^encoding utf8: / },
	{
		what: "utf8 of half a surrogate pair",
		call: { data: '"\\ud800"', metadata: { encoding: "utf8" } },
		says: /^encoding utf8: /,
	},
	{
		what: "base64 of what is none",
		call: { data: '"A-_="', metadata: { encoding: "base64" } },
		says: /^encoding base64: /,
	},
	{ what: "base64 of an object", call: { data: "{}", metadata: { encoding: "base64" } }, says: /^encoding base64: / },
];

/** Calls `create`, which must succeed, and resolves with what the broker got. */
async function create(stage: Stage, call: CreateCall, topic = call.metadata?.topic ?? "in/default") {
	const from = stage.published.length;
	expect(await stage.binding.create(call)).toEqual({ kind: "created" });
	const { payload, qos, retain } = await stage.publishedTo(topic, from);
	return { payload: Buffer.from(payload).toString("latin1"), qos, retain };
}

/** What the broker hands to somebody who subscribes only now. */
async function retainedAt(stage: Stage, topic: string): Promise<readonly string[]> {
	await using late = await connectDevice(stage.broker.url);
	await late.subscribe(topic);
	await late.subscribe("end");
	await late.publish("end", "end");
	await eventually(() => expect(late.messages.at(-1)?.topic).toBe("end"));
	return late.messages.slice(0, -1).map(({ payload }) => payload.toString());
}

/** What `create` publishes. */
export const creating: readonly CaseGroup[] = [
	{
		name: "create",
		options: { topic: "in/default" },
		cases: [
			{
				name: "publishes the data as it stands to the component's topic, at QoS 1, not retained",
				async run(stage) {
					const data = '{"b": 12345678901234567890, "a":"<&>"}';
					expect(await create(stage, { data })).toEqual({ payload: data, qos: 1, retain: false });
				},
			},
			{
				name: "publishes to the request's topic; an empty one is the component's",
				async run(stage) {
					expect(await create(stage, { data: "1", metadata: { topic: "out/a b/ü" } })).toMatchObject({ payload: "1" });
					const call = { data: "2", metadata: { topic: "" } };
					expect(await create(stage, call, "in/default")).toMatchObject({ payload: "2" });
				},
			},
			...([0, 1, 2] as const).map(
				(qos): Case => ({
					name: `publishes at the request's QoS ${qos}`,
					async run(stage) {
						const metadata = { topic: `out/qos${qos}`, qos: String(qos) };
						expect(await create(stage, { data: "1", metadata })).toMatchObject({ qos });
					},
				}),
			),
			{
				name: "retain makes the broker keep the message, no data at all clears it",
				async run(stage) {
					const metadata = { topic: "out/kept", retain: "true" };
					expect(await create(stage, { data: '"kept"', metadata })).toMatchObject({ retain: true });
					expect(await retainedAt(stage, "out/kept")).toEqual(['"kept"']);
					expect(await create(stage, { metadata })).toEqual({ payload: "", qos: 1, retain: true });
					expect(await retainedAt(stage, "out/kept")).toEqual([]);
				},
			},
			{
				name: "null is data: the four letters",
				async run(stage) {
					expect(await create(stage, { data: "null" })).toMatchObject({ payload: "null" });
				},
			},
			{
				name: "3 MiB go out whole",
				async run(stage) {
					const data = `"${"x".repeat(3 * 2 ** 20)}"`;
					const { payload } = await create(stage, { data });
					expect(payload === data).toBe(true);
				},
			},
			{
				name: "the case of metadata names does not matter, other names are nobody's business",
				faces: JSON_FACES,
				async run(stage) {
					const metadata = { TOPIC: "out/case", Retain: "true", QoS: "0", ttlInSeconds: "x", traceparent: "y" };
					expect(await create(stage, { data: "1", metadata }, "out/case")).toMatchObject({ qos: 0, retain: true });
				},
			},
			{
				name: "encoding makes of a JSON string its text, or the bytes that it holds",
				faces: JSON_FACES,
				async run(stage) {
					const data = '"aGkA/w=="';
					expect(await create(stage, { data })).toMatchObject({ payload: data });
					expect(await create(stage, { data, metadata: { encoding: "json" } })).toMatchObject({ payload: data });
					expect(await create(stage, { data, metadata: { encoding: "utf8" } })).toMatchObject({ payload: "aGkA/w==" });
					expect(await create(stage, { data, metadata: { encoding: "base64" } })).toMatchObject({
						payload: "hi\0\xff",
					});
				},
			},
			...wrong.map(
				({ what, metadata, says }): Case => ({
					name: `${what} is refused in words, and nothing is sent`,
					applies: (face) => (face.takesLoneSurrogates ?? true) || (metadata.topic?.isWellFormed() ?? true),
					run: (stage) => refused(stage, { data: "1", metadata }, says),
				}),
			),
			...wrongForJson.map(
				({ what, call, says }): Case => ({
					name: `${what} is refused in words, and nothing is sent`,
					faces: JSON_FACES,
					run: (stage) => refused(stage, call, says),
				}),
			),
			{
				name: "an operation other than create does not exist",
				faces: JSON_FACES,
				async run(stage) {
					const outcome = await stage.binding.create({ operation: "delete", data: "1" });
					expect(outcome).toMatchObject({ kind: "not there", message: /delete/ });
				},
			},
		],
	},
	{
		name: "the component's own retain, qos and encoding",
		options: { topic: "in/default", retain: true, qos: 2, encoding: "utf8" },
		cases: [
			{
				name: "hold where the request says nothing",
				async run(stage) {
					const payload = stage.face.takesJson ? "hi" : '"hi"';
					expect(await create(stage, { data: '"hi"' })).toEqual({ payload, qos: 2, retain: true });
				},
			},
			{
				name: "yield to the request",
				async run(stage) {
					const metadata = { retain: "false", qos: "0", ...(stage.face.takesJson && { encoding: "json" }) };
					expect(await create(stage, { data: '"hi"', metadata })).toEqual({ payload: '"hi"', qos: 0, retain: false });
				},
			},
		],
	},
	{
		name: "a topic with wildcards",
		options: { topic: "in/+" },
		cases: [
			{
				name: "is a filter: each request must name its own topic",
				async run(stage) {
					await refused(stage, { data: "1" }, /"in\/\+".*request's metadata/);
					expect(await create(stage, { data: "1", metadata: { topic: "in/own" } })).toMatchObject({ payload: "1" });
				},
			},
		],
	},
	{
		name: "the broker is away",
		options: { topic: "in/default", publishTimeoutMs: 300 },
		cases: [
			{
				name: "create says that it was not sent, and what was not sent is not sent later",
				async run(stage) {
					await stage.stopBroker();
					await stage.reason("not-connected");
					const outcome = await stage.binding.create({ data: '"late"' });
					expect(outcome).toMatchObject({ kind: "not sent", message: /127\.0\.0\.1/ });
					const from = stage.published.length;
					await stage.startBroker();
					await eventually(async () => expect(await stage.codes()).toEqual([]), { timeoutMs: 10_000 });
					expect(await create(stage, { data: '"now"' })).toMatchObject({ payload: '"now"' });
					expect(stage.published.slice(from)).toHaveLength(1);
				},
			},
			{
				name: "create waits for it within its deadline",
				async run(stage) {
					await stage.restart({ publishTimeoutMs: 10_000 });
					await stage.stopBroker();
					await stage.reason("not-connected");
					const created = stage.binding.create({ data: '"waited"', metadata: { topic: "out/waited" } });
					await stage.startBroker();
					expect(await created).toEqual({ kind: "created" });
					await stage.publishedTo("out/waited");
				},
			},
		],
	},
];

/** The request is refused, and the connection to the broker has not noticed. */
async function refused(stage: Stage, call: CreateCall, says: RegExp): Promise<void> {
	const from = stage.published.length;
	const outcome = await stage.binding.create(call);
	expect(outcome).toMatchObject({ kind: "refused", message: says });
	expect(outcome.kind === "refused" && outcome.message.length).toBeLessThan(400);
	expect(await create(stage, { data: '"after"', metadata: { topic: "out/after" } })).toMatchObject({
		payload: '"after"',
	});
	expect(stage.published.slice(from)).toHaveLength(1);
	expect(await stage.codes()).toEqual([]);
}
