import { expect } from "vitest";
import { startScene } from "../../integration/client/client-under-test.js";
import { pass, withFastTime } from "../../integration/client/fast-time.js";
import { fault } from "../support/fault.js";

withFastTime();

const HOUR_MS = 60 * 60 * 1_000;

fault(
	{ rows: ["F-83"], injected: "the CONNACK of a new session is lost; the next one says Session Present 1" },
	"the session that the lost CONNACK left behind has no subscription of ours: SUBSCRIBE all the same",
	async ({ seen }) => {
		await using scene = await startScene();
		const first = await scene.broker.accept();
		await first.expect("connect");
		first.reset();
		const second = await scene.subscribed({ sessionPresent: true });
		await scene.it.reported("subscribed");
		second.publish("a/b", "heard", { qos: 1, messageId: 1 });
		(await scene.it.delivered(1)).ack();
		await second.expect("puback");
		expect(scene.it.reports.map(({ code }) => code)).not.toContain("session-lost");
		seen("SUBSCRIBE on a resumed session that this process had never subscribed in");
	},
);

fault(
	{
		rows: ["F-83"],
		injected: "after an hour of proof the session is lost unseen: the CONNACK that would have said so does not come",
		scale: "an hour of an injected clock",
	},
	"after a CONNECT whose CONNACK was not read it subscribes again, however long the session was there",
	async ({ seen }) => {
		await using scene = await startScene();
		const first = await scene.subscribed();
		await pass(HOUR_MS + 5_000);
		first.close();
		const second = await scene.broker.accept();
		await second.expect("connect");
		second.close();
		await scene.subscribed({ sessionPresent: true });
		seen("SUBSCRIBE though the session had been trusted for an hour");
	},
);
