import { randomBytes } from "node:crypto";
import { expect } from "vitest";
import type { Case, CaseGroup } from "../case.js";
import { texts } from "../stage.js";

const payloads: Readonly<Record<string, Buffer>> = {
	JSON: Buffer.from('{"b": 12345678901234567890, "a":"<&>"}'),
	"no JSON": Buffer.from("plain text {"),
	empty: Buffer.alloc(0),
	"every byte": Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
	"4 MiB": randomBytes(4 * 2 ** 20),
};

const topics: readonly string[] = [
	"in/a b/ c ",
	"in/50%/x%2Fy",
	"in/温度/küche",
	"in/🔥",
	"in/line\r\nfeed: and more",
	"in/\u0001\u001b\u007f\u0085",
	"in//x/",
	'in/"\\',
];

/** What the app gets. */
export const receiving: readonly CaseGroup[] = [
	{
		name: "a message on its way to the app",
		options: {},
		cases: [
			...Object.entries(payloads).map(
				([what, payload]): Case => ({
					name: `a payload that is ${what} arrives byte for byte`,
					async run(stage) {
						const sent = payload.subarray(0, stage.face.largestPayload);
						await stage.broker.publish(`in/${what}`, sent);
						const [event] = await stage.accepted(what, 1);
						expect(event!.payload.equals(sent)).toBe(true);
					},
				}),
			),
			...topics.map(
				(topic): Case => ({
					name: `the topic ${JSON.stringify(topic)} can be read without loss`,
					async run(stage) {
						await stage.broker.publish(topic, "x");
						expect(texts(await stage.accepted(topic.slice("in/".length), 1))).toEqual(["x"]);
					},
				}),
			),
			{
				name: "a topic as long as may be arrives whole",
				async run(stage) {
					const name = "x".repeat(stage.face.longestTopic - "in/".length);
					await stage.send(name, "long");
					expect(texts(await stage.accepted(name, 1))).toEqual(["long"]);
				},
			},
			{
				name: "a live message of QoS 1 is neither retained nor tried before",
				async run(stage) {
					await stage.broker.publish("in/plain", "x", { retain: true });
					// [MQTT-3.3.1-9]: to a subscription that stood before it is not a retained one.
					expect(await stage.arrived("plain", 1)).toMatchObject([{ retained: false, qos: 1, attempt: 1 }]);
				},
			},
			{
				name: "the QoS of a delivery is told",
				async run(stage) {
					for (const qos of [0, 1] as const) await stage.broker.publish("in/qos", String(qos), { qos });
					const events = await stage.accepted("qos", 2);
					expect(events.map(({ payload, qos }) => `${payload} ${qos}`).sort()).toEqual(["0 0", "1 1"]);
				},
			},
			{
				name: "messages of one topic arrive in the order in which they were published",
				async run(stage) {
					const payloads = Array.from({ length: 100 }, (_, index) => String(index));
					await stage.send("order", ...payloads);
					const events = await stage.arrived("order", 100);
					// To an HTTP app they are on their way side by side.
					const order = stage.face.name === "sidecar" ? texts(events).toSorted(byNumber) : texts(events);
					expect(order).toEqual(payloads);
				},
			},
			{
				name: "the event has the component's name as its route and JSON as its media type",
				faces: ["component", "sidecar"],
				async run(stage) {
					await stage.send("type", "x");
					expect(await stage.arrived("type", 1)).toMatchObject([{ route: "orders", contentType: "application/json" }]);
				},
			},
		],
	},
	{
		name: "a message that was retained before the subscription",
		options: {},
		prepare: (stage) => stage.broker.publish("in/retained", "old", { retain: true }),
		cases: [
			{
				name: "is marked as retained",
				async run(stage) {
					expect(await stage.arrived("retained", 1)).toMatchObject([{ retained: true, attempt: 1 }]);
				},
			},
		],
	},
	{
		name: "qos 2, more topics, route and contentType",
		options: { qos: 2, topics: ["more/+", "in/#"], route: "/a//b/", contentType: "text/plain" },
		cases: [
			{
				name: "a message of QoS 2 is handed over once, with its QoS",
				async run(stage) {
					await stage.broker.publish("in/two", "x", { qos: 2 });
					await stage.accepted("two", 1);
					await stage.settled();
					expect(stage.events("two")).toMatchObject([{ qos: 2 }]);
				},
			},
			{
				name: "every filter is subscribed to, and nothing else",
				async run(stage) {
					await stage.broker.publish("more/x", "x");
					await stage.broker.publish("more/x/y", "y");
					await stage.settled();
					const got = stage.binding.events().map(({ topic }) => topic);
					expect(got).toContain("more/x");
					expect(got).not.toContain("more/x/y");
				},
			},
			{
				name: "the event has the route and the media type that the component names",
				faces: ["component", "sidecar"],
				async run(stage) {
					await stage.send("type", "x");
					expect(await stage.arrived("type", 1)).toMatchObject([{ route: "a/b", contentType: "text/plain" }]);
				},
			},
		],
	},
	{
		name: "maxInFlight",
		options: { maxInFlight: 3, script: { delayMs: 40 } },
		cases: [
			{
				name: "so many are at the app at once, and never more",
				async run(stage) {
					await stage.send("bound", ..."abcdefghijkl");
					const events = await stage.accepted("bound", 12);
					expect(texts(events).toSorted()).toEqual([..."abcdefghijkl"]);
					const together = events.map(
						({ at }) => events.filter((other) => other.at <= at && other.answeredAt! > at).length,
					);
					expect(Math.max(...together)).toBe(3);
				},
			},
		],
	},
];

function byNumber(one: string, other: string): number {
	return Number(one) - Number(other);
}
