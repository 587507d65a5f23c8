import { expect } from "vitest";
import { MqttConnectionError } from "../../../src/errors.js";
import { ClientUnderTest, delayOf, startScene } from "../../integration/client/client-under-test.js";
import { pass, withFastTime } from "../../integration/client/fast-time.js";
import { freePort } from "../../support/free-port.js";
import { startScriptedBroker } from "../../support/scripted-broker.js";
import { fault } from "../support/fault.js";

withFastTime();

fault(
	{ rows: ["F-01"], injected: "nothing listens at the broker's address", scale: "four minutes of an injected clock" },
	"I11: an absent broker is tried at most 16 times in the first minute, at most 8 in any later one, for ever",
	async ({ seen }) => {
		const port = await freePort();
		await using it = new ClientUnderTest(`mqtt://127.0.0.1:${port}`);
		it.client.connect().catch(() => {});
		const attempts = () => it.states.filter((state) => state === "connecting").length;
		const minutes: number[] = [];
		for (let minute = 0; minute < 4; minute++) {
			const before = attempts();
			await pass(60_000);
			minutes.push(attempts() - before);
		}
		const [first, ...later] = minutes;
		expect(first).toBeGreaterThanOrEqual(8);
		expect(first).toBeLessThanOrEqual(16);
		for (const count of later) {
			expect(count).toBeGreaterThanOrEqual(1);
			expect(count).toBeLessThanOrEqual(8);
		}
		expect(Math.max(...it.reports.map(delayOf))).toBeLessThanOrEqual(30_000);
		seen(`attempts in each minute: ${minutes.join(", ")}`);
	},
);

fault(
	{ rows: ["F-01"], injected: "nothing listens, then a broker does" },
	"without a broker it is offline with the reason, and connects when there is one",
	async ({ seen }) => {
		const port = await freePort();
		await using it = new ClientUnderTest(`mqtt://127.0.0.1:${port}`);
		it.client.connect().catch(() => {});
		const { error, level } = await it.reported("connect-failed");
		expect(level).toBe("warn");
		expect(error).toBeInstanceOf(MqttConnectionError);
		expect(error).toMatchObject({ reason: "refused", url: `tcp://127.0.0.1:${port}` });
		expect(it.client.status().cause).toBe(error);
		await using broker = await startScriptedBroker(port);
		await (await broker.accept()).greet();
		await it.client.connect();
		expect(it.client.status()).toMatchObject({ state: "online", cause: undefined, connects: 1 });
		seen(`offline with "${error?.message}", then online at the first CONNECT that was answered`);
	},
);

fault(
	{ rows: ["F-01"], injected: "nothing listens while a publish with a deadline of 60 ms waits" },
	"a publish without a broker: not sent, with the reason, in time",
	async ({ seen }) => {
		await using it = new ClientUnderTest(`mqtt://127.0.0.1:${await freePort()}`, { publishTimeoutMs: 60 });
		it.client.connect().catch(() => {});
		await it.reported("connect-failed");
		const started = performance.now();
		const published = it.publish("m");
		await pass(500);
		const error = await published;
		expect(error).toMatch(/^not sent: not connected to tcp:.* \(cannot connect .*nothing listens there\)/);
		expect(performance.now() - started).toBeLessThan(1_000);
		expect(it.client.status().pending).toBe(0);
		seen(`"${error}"`);
	},
);

fault(
	{
		rows: ["F-14"],
		injected: "CONNACK 5 nine times, then 0",
		scale: "an injected clock: up to 5 minutes between attempts",
	},
	"a refusal is asked again after 2.5 to 10 s, later after at most 5 min, and never given up",
	async ({ seen }) => {
		await using scene = await startScene();
		const delays: number[] = [];
		for (let round = 0; round < 9; round++) {
			const connection = await scene.broker.accept();
			await connection.greet({ returnCode: 5 });
			const delayMs = delayOf(await scene.it.reported("connect-refused", round + 1));
			delays.push(delayMs);
			const stepMs = Math.min(10_000 * 2 ** round, 300_000);
			expect(delayMs).toBeGreaterThanOrEqual(stepMs / 4 - 1);
			expect(delayMs).toBeLessThanOrEqual(stepMs);
			await pass(delayMs + 1);
		}
		await scene.online();
		await scene.it.client.connect();
		seen(`seconds between attempts: ${delays.map((ms) => Math.round(ms / 1_000)).join(", ")}; then online`);
	},
);

fault(
	{ rows: ["F-15"], injected: "CONNACK 3 for two minutes, then 0", scale: "two minutes of an injected clock" },
	"return code 3 is tried again as soon as any lost connection, and recovers",
	async ({ seen }) => {
		await using scene = await startScene();
		const delays: number[] = [];
		for (let passed = 0; passed < 120_000; passed += delays.at(-1)!) {
			const connection = await scene.broker.accept();
			await connection.greet({ returnCode: 3 });
			await connection.closed;
			const delayMs = delayOf(await scene.it.reported("connect-failed", delays.length + 1));
			const stepMs = Math.min(250 * 2 ** delays.length, 30_000);
			expect(delayMs).toBeGreaterThanOrEqual(Math.floor(stepMs / 4));
			expect(delayMs).toBeLessThanOrEqual(stepMs);
			delays.push(delayMs);
			await pass(delayMs + 1);
		}
		await scene.online();
		await scene.it.client.connect();
		expect(scene.it.reports.map(({ code }) => code)).toEqual([...delays.map(() => "connect-failed"), "connected"]);
		seen(
			`${delays.length} attempts, none counted as a refusal for good, waits up to ${Math.max(...delays)} ms; then online`,
		);
	},
);
