import { expect } from "vitest";
import type { Packet } from "../../../src/mqtt/packet.js";
import { MqttSession } from "../../../src/mqtt/session.js";
import { startScene } from "../../integration/client/client-under-test.js";
import { pass, withFastTime } from "../../integration/client/fast-time.js";
import { eventually } from "../../support/eventually.js";
import { SinkRecorder, toPublish } from "../../support/session-parts.js";
import { fault } from "../support/fault.js";

withFastTime();

/** Publishes that may wait or be unanswered. */
const MOST = 2_048;
const ROUNDS = 40;
const PER_ROUND = 2_000;

fault(
	{ rows: ["F-28"], injected: "three publishes are never answered while the identifiers go round" },
	"[MQTT-2.3.1-2] [MQTT-2.3.1-3] no identifier is used while it is taken, and everything else is answered",
	async ({ seen }) => {
		const session = new MqttSession(
			{ strict: false, maxBuffered: 1_000_000, maxPayloadSize: 1_000, delivers: true },
			{ delivered: () => {}, adopted: () => {}, orphaned: () => {}, died: () => {} },
		);
		session.connected(false);
		const sink = new SinkRecorder();
		const stuck = [toPublish("stuck"), toPublish("stuck"), toPublish("stuck")];
		let used = 0;
		let answered = 0;
		const ids = new Set<number>();
		for (let round = 0; round < ROUNDS; round++) {
			const batch = Array.from({ length: PER_ROUND }, () => toPublish("a"));
			for (const publish of batch) session.outbound.enqueue(publish);
			if (round % 10 === 5 && stuck[used] !== undefined) session.outbound.enqueue(stuck[used++]!);
			const taken = new Set(stuck.slice(0, used - 1).map(({ packetId }) => packetId));
			session.write(sink);
			for (const line of sink.take()) {
				const [, text, packetId] = line.split(" ");
				expect(taken.has(Number(packetId))).toBe(false);
				taken.add(Number(packetId));
				ids.add(Number(packetId));
				if (text === "a") session.receive({ type: "pubAck", packetId: Number(packetId) } satisfies Packet);
			}
			answered += batch.filter(({ outcome }) => outcome === "done").length;
		}
		expect(used).toBe(3);
		expect([answered, session.outbound.pending, session.unexpected]).toEqual([ROUNDS * PER_ROUND, 3, 0]);
		expect(new Set(stuck.map(({ packetId }) => packetId)).size).toBe(3);
		seen(`${answered} publishes answered over ${ids.size} identifiers, the 3 stuck ones never used again`);
	},
);

fault(
	{
		rows: ["F-28"],
		injected: "2,048 publishes without an answer, the most that may wait; and another one",
		scale: "2,048 instead of 65,535: more of them are never in flight",
	},
	"the next one is not sent, at once, until one is answered; given-up ones count",
	async ({ seen }) => {
		await using scene = await startScene({ subscribes: false, publishTimeoutMs: 600_000, keepAliveMs: 600_000 });
		const connection = await scene.online();
		const ids: number[] = [];
		const all = Array.from({ length: MOST }, (_, index) =>
			scene.it.publish("m", index < 1_000 ? { timeoutMs: 2_000 } : {}),
		);
		for (let count = 0; count < MOST; count++) ids.push((await connection.expect("publish")).messageId!);
		expect(new Set(ids).size).toBe(MOST);
		await pass(2_500);
		expect(await all[0]).toMatch(/^outcome unknown/);
		const refused = scene.it.client.publish({ topic: "a", payload: Buffer.alloc(1), qos: 1, retain: false });
		await expect(refused).rejects.toMatchObject({ outcome: "not-sent", pending: true });
		await expect(refused).rejects.toThrow("not sent: too many pending: 2048 publishes");
		connection.send({ cmd: "puback", messageId: ids[0]! });
		await eventually(() => expect(scene.it.client.status().pending).toBe(MOST - 1));
		void scene.it.publish("fits again");
		const { messageId } = await connection.expect("publish", ({ payload }) => String(payload) === "fits again");
		expect(ids.slice(1)).not.toContain(messageId);
		seen(`${MOST} different identifiers, 1,000 of them given up; the next publish was not sent, at once`);
	},
);

fault(
	{ rows: ["F-28"], injected: "three publishes are given up without an answer, then 70,000 follow" },
	"[MQTT-2.3.1-2] the identifiers wrap, and none that is still un-acknowledged is used again",
	async ({ seen }) => {
		await using scene = await startScene({ subscribes: false });
		const connection = await scene.online();
		const stuck = new Set<number>();
		const given: Promise<string>[] = [];
		const controller = new AbortController();
		for (let index = 0; index < 3; index++) {
			given.push(scene.it.publish("stuck", { signal: controller.signal }));
			stuck.add((await connection.expect("publish")).messageId!);
		}
		controller.abort();
		for (const result of await Promise.all(given)) expect(result).toMatch(/^outcome unknown: /);
		const payload = Buffer.from("m");
		const used = new Set<number>();
		for (let round = 0; round < 70; round++) {
			const batch = Array.from({ length: 1_000 }, () => scene.it.publish(payload, { timeoutMs: 60_000 }));
			const acks = [];
			const live = new Set<number>();
			for (let count = 0; count < 1_000; count++) {
				const { messageId } = await connection.expect("publish");
				live.add(messageId!);
				used.add(messageId!);
				acks.push({ cmd: "puback" as const, messageId: messageId! });
			}
			expect(live.size).toBe(1_000);
			connection.send(...acks);
			expect(new Set(await Promise.all(batch))).toEqual(new Set(["ok"]));
		}
		expect(used.size).toBeGreaterThan(65_000);
		for (const id of stuck) expect(used).not.toContain(id);
		seen(`70,000 answered over ${used.size} identifiers, without the 3 of before`);
	},
	60_000,
);
