import { describe, expect, test } from "vitest";
import { startScene } from "./client-under-test.js";
import { pass, withFastTime } from "./fast-time.js";

withFastTime();

describe("filters of an earlier configuration", () => {
	test("are left on each connection, once somebody reads, in packets with identifiers of their own", async () => {
		await using scene = await startScene({ unsubscribe: ["old/#", "older"] });
		for (const sessionPresent of [false, true]) {
			const connection = await scene.online({ sessionPresent });
			const leaving = await connection.expect("unsubscribe");
			expect(leaving.unsubscriptions).toEqual(["old/#", "older"]);
			connection.sendRaw([0xb0, 2, leaving.messageId! >> 8, leaving.messageId! & 0xff]);
			await connection.grant();
			await scene.it.reported("subscribed", sessionPresent ? 2 : 1);
			connection.close();
		}
	});

	test("stay while nobody reads", async () => {
		await using scene = await startScene({ unsubscribe: ["old/#"], subscribes: false });
		const connection = await scene.online();
		await connection.nothing(30);
		scene.it.client.subscribe();
		await connection.expect("unsubscribe");
	});

	test("a broker that answers PINGREQ but not UNSUBSCRIBE is left", async () => {
		await using scene = await startScene({ unsubscribe: ["old/#"] });
		const connection = await scene.online();
		await connection.expect("unsubscribe");
		await connection.grant();
		// Its PINGREQ is answered; ten seconds after that it is given up.
		await pass(25_000);
		expect((await scene.it.reported("disconnected")).message).toContain("though the broker answers PINGREQ");
		await connection.closed;
	});
});

describe("a client that leaves its filters when it closes", () => {
	test("acknowledges, UNSUBSCRIBEs, waits for the answer, and says DISCONNECT last", async () => {
		await using scene = await startScene({ unsubscribeOnClose: true });
		const connection = await scene.subscribed();
		connection.publish("a/b", "m", { qos: 1, messageId: 3 });
		(await scene.it.delivered(1)).ack();
		const closing = scene.it.client.close();
		await connection.expect("puback");
		const { unsubscriptions, messageId } = await connection.expect("unsubscribe");
		expect(unsubscriptions).toEqual(["a/#"]);
		// What comes meanwhile is neither delivered nor acknowledged.
		connection.publish("a/b", "late", { qos: 1, messageId: 4 });
		await connection.nothing(20);
		connection.sendRaw([0xb0, 2, messageId! >> 8, messageId! & 0xff]);
		await connection.expect("disconnect");
		connection.close();
		await closing;
		expect(scene.it.payloads).toEqual(["m"]);
	});

	test("does not wait for ever", async () => {
		await using scene = await startScene({ unsubscribeOnClose: true });
		const connection = await scene.subscribed();
		const closing = scene.it.client.close();
		await connection.expect("unsubscribe");
		await pass(2_000);
		await connection.expect("disconnect");
		connection.close();
		await closing;
	});

	test("has nothing to leave where nobody read", async () => {
		await using scene = await startScene({ unsubscribeOnClose: true, subscribes: false });
		const connection = await scene.online();
		await scene.it.reported("connected");
		const closing = scene.it.client.close();
		await connection.expect("disconnect");
		connection.close();
		await closing;
	});
});
