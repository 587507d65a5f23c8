import { describe, expect, test } from "vitest";
import { eventually } from "../../support/eventually.js";
import { startScene } from "./client-under-test.js";
import { pass, withFastTime } from "./fast-time.js";

withFastTime();

const HOUR_MS = 60 * 60 * 1_000;

describe("SUBSCRIBE", () => {
	test("[MQTT-2.3.1-1] waits until somebody reads, and then leaves at once, with an identifier and all filters", async () => {
		await using scene = await startScene({
			subscribes: false,
			subscriptions: [
				{ filter: "a/#", qos: 1 },
				{ filter: "$share/g/b/+", qos: 2 },
			],
		});
		const connection = await scene.online();
		await connection.nothing(30);
		scene.it.client.subscribe();
		scene.it.client.subscribe();
		const subscribe = await connection.grant();
		expect(subscribe.messageId).toBeGreaterThan(0);
		expect(subscribe.subscriptions).toMatchObject([
			{ topic: "a/#", qos: 1 },
			{ topic: "$share/g/b/+", qos: 2 },
		]);
		expect((await scene.it.reported("subscribed")).message).toContain("a/#, $share/g/b/+");
		expect(scene.it.client.status()).toMatchObject({ subscribing: true, subscribed: true, problems: [] });
		await connection.nothing(30);
	});

	test("a client without subscriptions sends none", async () => {
		await using scene = await startScene({ subscriptions: [], listens: false });
		await (await scene.online()).nothing(30);
	});

	test("[MQTT-3.8.3-3] F-93: it follows every CONNACK of the first hour at once, whether or not the session is there", async () => {
		await using scene = await startScene();
		for (const sessionPresent of [false, true, false, true, true]) {
			const connection = await scene.subscribed({ sessionPresent });
			const [connect, subscribe] = connection.received;
			expect(subscribe!.at - connect!.at).toBeLessThan(900);
			await pass(14 * 60_000);
			connection.close();
		}
		await scene.subscribed({ sessionPresent: true });
	});

	test("it is left out once the same session has had it for more than an hour, and comes again when the session is lost", async () => {
		await using scene = await startScene();
		const first = await scene.subscribed();
		await pass(HOUR_MS + 5_000);
		first.close();
		const second = await scene.online({ sessionPresent: true });
		await second.nothing(50);
		expect(scene.it.client.status()).toMatchObject({ subscribed: true });
		second.close();
		const third = await scene.subscribed({ sessionPresent: false });
		await eventually(() => expect(scene.it.reports.filter(({ code }) => code === "subscribed")).toHaveLength(2));
		third.close();
		await scene.subscribed({ sessionPresent: true });
	});
});
