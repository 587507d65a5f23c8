import { expect } from "vitest";
import { MqttProtocolError } from "../../../src/errors.js";
import { startScene } from "../../integration/client/client-under-test.js";
import { startLine, texts } from "../../integration/sidecar/line.js";
import { fault } from "../support/fault.js";

/** What is wrong, by the clause that says so. */
const BAD_TOPICS = [
	["MQTT-3.3.2-2", "a/#"],
	["MQTT-3.3.2-2", "+"],
	["MQTT-4.7.1-1", "a/+/b"],
	["MQTT-4.7.3-2", "a\0b"],
	["MQTT-1.5.3-2", "\0"],
	["MQTT-1.5.3-1", "a\ud800b"],
	["MQTT-4.7.3-3", "t".repeat(65_536)],
	["MQTT-4.7.3-3", "/".repeat(70_000)],
] as const;
const LONG = `out/${"x".repeat(60_000)}`;

fault(
	{ rows: ["F-32"], injected: "topics that are none, from a caller of the library" },
	"a topic that is none is refused before anything is touched",
	async ({ seen }) => {
		await using scene = await startScene({ subscribes: false });
		const connection = await scene.online();
		for (const topic of ["", ...BAD_TOPICS.map(([, topic]) => topic)]) {
			const published = scene.it.client.publish({ topic, payload: Buffer.from("m"), qos: 1, retain: false });
			await expect(published).rejects.toThrow(MqttProtocolError);
		}
		await connection.nothing(20);
		expect(scene.it.client.status().pending).toBe(0);
		seen(`${BAD_TOPICS.length + 1} topics refused, not a byte to the broker`);
	},
);

fault(
	{
		rows: ["F-32"],
		injected:
			"the same in calls over HTTP, and $SYS/x; and two that are good: one of 60,000 bytes, and an empty one, which means the component's",
	},
	"400 each, with what is wrong; the connection and other calls are untouched",
	async ({ seen }) => {
		await using line = await startLine({ fields: { topic: "in/default" } });
		await line.device.subscribe("#", 1);
		const create = async (topic: string) => {
			const answer = await line.sidecar.create("orders", { operation: "create", data: "m", metadata: { topic } });
			return { status: answer.status, text: await answer.text() };
		};
		const before = line.broker.log.length;
		const topics = [...BAD_TOPICS.map(([, topic]) => topic), "$SYS/x"];
		const answers = await Promise.all(topics.map(create));
		expect(answers.map(({ status }) => status)).toEqual(topics.map(() => 400));
		for (const { text } of answers) {
			expect(text).toContain("topic");
			expect(text.length).toBeLessThan(1_000);
		}
		expect(await create("")).toMatchObject({ status: 204 });
		expect((await create(LONG)).status).toBe(204);
		expect((await create("out/a")).status).toBe(204);
		await line.device.received(3);
		expect(line.device.messages.map(({ topic }) => topic)).toEqual(["in/default", LONG, "out/a"]);
		expect(texts(line.device.messages)).toEqual(['"m"', '"m"', '"m"']);
		expect(line.broker.log.slice(before).filter((text) => /sidecar-orders/.test(text))).toEqual([]);
		seen(`${topics.length} times 400, such as ${answers[0]!.text}; the connection stayed`);
	},
);
