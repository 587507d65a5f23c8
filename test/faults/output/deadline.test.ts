import { expect } from "vitest";
import { PublishError } from "../../../src/errors.js";
import { startScene } from "../../integration/client/client-under-test.js";
import { pass, withFastTime } from "../../integration/client/fast-time.js";
import { eventually } from "../../support/eventually.js";
import { fault } from "../support/fault.js";

withFastTime();

const QUIET = { subscribes: false };

fault(
	{ rows: ["F-21"], injected: "the broker reads the PUBLISH and never answers", scale: "an injected clock" },
	"without a PUBACK a publish ends in time, outcome unknown",
	async ({ seen }) => {
		await using scene = await startScene(QUIET);
		const connection = await scene.online();
		const published = scene.it.client.publish(
			{ topic: "a", payload: Buffer.from("m"), qos: 1, retain: false },
			{ timeoutMs: 8_000 },
		);
		published.catch(() => {});
		await connection.expect("publish");
		await pass(9_000);
		await expect(published).rejects.toThrow(PublishError);
		await expect(published).rejects.toMatchObject({
			outcome: "unknown",
			pending: false,
			message: "outcome unknown: the broker did not answer in time",
		});
		seen("outcome unknown after 8 s of an injected clock");
	},
);

fault(
	{
		rows: ["F-23"],
		injected:
			"the connection is lost after the PUBLISH, the next CONNACK comes after the deadline: with the session, then without",
		scale: "an injected clock",
	},
	"what was written and given up is not written again, neither with DUP nor anew",
	async ({ seen }) => {
		await using scene = await startScene(QUIET);
		for (const sessionPresent of [true, false]) {
			const first = await scene.online({ sessionPresent: true });
			const given = scene.it.publish("given up", { timeoutMs: 8_000 });
			await first.expect("publish");
			first.close();
			const second = await scene.broker.accept();
			await second.expect("connect");
			await pass(9_000);
			expect(await given).toMatch(/^outcome unknown: /);
			second.send({ cmd: "connack", returnCode: 0, sessionPresent });
			await second.nothing(40);
			second.close();
		}
		seen("outcome unknown; no PUBLISH on the next connection, session kept or lost");
	},
);

fault(
	{ rows: ["S-16"], injected: "the CONNACK comes after the deadline of a publish" },
	"what was given up before anything was connected is never written",
	async ({ seen }) => {
		await using scene = await startScene(QUIET);
		const connection = await scene.broker.accept();
		await connection.expect("connect");
		expect(await scene.it.publish("m", { timeoutMs: 20 })).toMatch(/^not sent: not connected/);
		connection.send({ cmd: "connack", returnCode: 0, sessionPresent: false });
		await connection.nothing(40);
		seen("not sent; nothing was written once connected");
	},
);

fault(
	{ rows: ["F-21"], injected: "a PUBACK that comes after the deadline", scale: "an injected clock" },
	"a PUBACK after the deadline frees the identifier and tells nobody",
	async ({ seen }) => {
		await using scene = await startScene(QUIET);
		const connection = await scene.online();
		const published = scene.it.publish("m", { timeoutMs: 8_000 });
		const { messageId } = await connection.expect("publish");
		await pass(9_000);
		expect(await published).toMatch(/^outcome unknown/);
		expect(scene.it.client.status().pending).toBe(1);
		connection.send({ cmd: "puback", messageId: messageId! });
		await eventually(() => expect(scene.it.client.status().pending).toBe(0));
		seen("one error to the caller, then no publish pending");
	},
);

fault(
	{ rows: ["F-30"], injected: "the call is cancelled before the CONNACK" },
	"a publish that is cancelled before anything of it was written is not sent, and never is",
	async ({ seen }) => {
		await using scene = await startScene(QUIET);
		const connection = await scene.broker.accept();
		await connection.expect("connect");
		const controller = new AbortController();
		const published = scene.it.publish("m", { signal: controller.signal });
		controller.abort();
		expect(await published).toBe("not sent: the call was cancelled");
		expect(await scene.it.publish("m", { signal: AbortSignal.abort() })).toBe("not sent: the call was cancelled");
		connection.send({ cmd: "connack", returnCode: 0, sessionPresent: false });
		await connection.nothing(30);
		seen("not sent; nothing was written once connected");
	},
);

fault(
	{ rows: ["F-30"], injected: "the call is cancelled after the PUBLISH was written, then the PUBACK comes" },
	"a publish that is cancelled after it was written has an unknown outcome, and its PUBACK frees its place",
	async ({ seen }) => {
		await using scene = await startScene(QUIET);
		const connection = await scene.online();
		const controller = new AbortController();
		const published = scene.it.publish("m", { signal: controller.signal });
		const { messageId } = await connection.expect("publish");
		controller.abort();
		expect(await published).toBe("outcome unknown: the call was cancelled");
		expect(scene.it.client.status().pending).toBe(1);
		connection.send({ cmd: "puback", messageId: messageId! });
		await eventually(() => expect(scene.it.client.status().pending).toBe(0));
		seen("outcome unknown; the place was free after the PUBACK");
	},
);

fault(
	{ rows: ["F-30"], injected: "the call is cancelled after its PUBACK" },
	"cancelling a publish that succeeded does nothing",
	async ({ seen }) => {
		await using scene = await startScene(QUIET);
		const connection = await scene.online();
		const controller = new AbortController();
		const published = scene.it.publish("m", { signal: controller.signal });
		connection.send({ cmd: "puback", messageId: (await connection.expect("publish")).messageId! });
		expect(await published).toBe("ok");
		controller.abort();
		await connection.nothing(20);
		seen("nothing more was written");
	},
);
