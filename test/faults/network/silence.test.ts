import { expect } from "vitest";
import { startScene } from "../../integration/client/client-under-test.js";
import { pass, withFastTime } from "../../integration/client/fast-time.js";
import { eventually } from "../../support/eventually.js";
import { fault } from "../support/fault.js";

withFastTime();

const KEEP_ALIVE_MS = 60_000;

fault(
	{
		rows: ["F-05", "F-06"],
		injected: "the broker stops answering PINGREQ",
		scale: "keepAlive 60 s of an injected clock",
	},
	"half a keep-alive, at most 10 s, after the PINGREQ the connection is closed and another made",
	async ({ seen }) => {
		await using scene = await startScene({ keepAliveMs: KEEP_ALIVE_MS });
		const connection = await scene.subscribed();
		connection.answerPings = false;
		await pass(KEEP_ALIVE_MS + 9_000);
		expect(scene.it.client.state).toBe("online");
		await pass(2_000);
		await connection.closed;
		const { error } = await scene.it.reported("disconnected");
		expect(error).toMatchObject({ reason: "dead", message: expect.stringContaining("no sign of life") });
		await scene.subscribed({ sessionPresent: true });
		seen(`still online 9 s after the PINGREQ, closed at 11 s with "${error?.message}"; connected again`);
	},
);

fault(
	{
		rows: ["F-06"],
		injected: "the peer's system takes no byte any more, while QoS 0 publishes go on",
		scale: "an injected clock",
	},
	"a socket that took bytes for a dead peer does not hide it, publishes or not",
	async ({ seen }) => {
		await using scene = await startScene({ keepAliveMs: KEEP_ALIVE_MS });
		const connection = await scene.subscribed();
		connection.pause();
		let seconds = 0;
		for (; seconds < 80 && scene.it.client.state === "online"; seconds++) {
			void scene.it.publish("into the void", { qos: 0 });
			await pass(1_000);
		}
		await eventually(() => expect(scene.it.client.state).not.toBe("online"));
		expect((await scene.it.reported("disconnected")).error).toMatchObject({ reason: "dead" });
		seen(`taken as dead after ${seconds} s with keepAlive 60 s`);
	},
);

fault(
	{ rows: ["F-08"], injected: "FIN from the broker alone; it still reads" },
	"a FIN is the end at once, half of a connection is none",
	async ({ seen }) => {
		await using scene = await startScene();
		const connection = await scene.subscribed();
		connection.halfClose();
		await connection.closed;
		expect((await scene.it.reported("disconnected")).error).toMatchObject({ reason: "closed" });
		await scene.subscribed();
		seen("closed by us without any time passing, and connected again");
	},
);

fault(
	{ rows: ["F-08"], injected: "FIN from the broker while a publish waits for its PUBACK and a handler works" },
	"a FIN with work in flight: the publish goes again with DUP, what the app then accepts is acknowledged to nobody",
	async ({ seen }) => {
		await using scene = await startScene();
		const first = await scene.subscribed();
		first.publish("a/b", "one", { qos: 1, messageId: 1 });
		const delivery = await scene.it.delivered(1);
		delivery.started = true;
		const published = scene.it.publish("out");
		const { messageId } = await first.expect("publish");
		first.halfClose();
		await first.closed;
		await eventually(() => expect(scene.it.orphanings).toBe(1));
		delivery.ack();
		const second = await scene.subscribed({ sessionPresent: true });
		const again = await second.expect("publish");
		expect(again).toMatchObject({ messageId, dup: true });
		second.send({ cmd: "puback", messageId: messageId! });
		expect(await published).toBe("ok");
		expect(first.received.map(({ packet }) => packet.cmd)).not.toContain("puback");
		expect(second.received.map(({ packet }) => packet.cmd)).not.toContain("puback");
		seen("sent again with the same identifier and DUP; no PUBACK on either connection");
	},
);

fault(
	{ rows: ["F-08"], injected: "FIN from the broker, which reads no more, while 8 MiB of ours wait for the socket" },
	"a FIN is the end also where bytes of ours can't leave: they are not waited for",
	async ({ seen }) => {
		await using scene = await startScene();
		const first = await scene.subscribed();
		first.pause();
		const published = scene.it.publish(Buffer.alloc(8 * 1024 * 1024));
		await eventually(() => expect(scene.it.client.status().pending).toBe(1));
		await pass(500);
		first.halfClose();
		expect((await scene.it.reported("disconnected")).error).toMatchObject({ reason: "closed" });
		first.reset();
		const second = await scene.subscribed({ sessionPresent: true });
		const { messageId } = await second.expect("publish");
		second.send({ cmd: "puback", messageId: messageId! });
		expect(await published).toBe("ok");
		seen("closed at once with bytes waiting; the publish went over the next connection");
	},
);
