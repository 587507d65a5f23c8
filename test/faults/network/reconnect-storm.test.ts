import { expect } from "vitest";
import { ClientUnderTest, delayOf } from "../../integration/client/client-under-test.js";
import { eventually } from "../../support/eventually.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { fault } from "../support/fault.js";

const COUNT = 300;

fault(
	{
		rows: ["F-17"],
		injected: "mosquitto ends under 300 clients, stays away for two more rounds of attempts, and is started again",
		scale:
			"300 clients; judged are the delays drawn, as one busy process delays the attempts; the bench times those of 500",
	},
	"clients that lose one broker together return spread over the whole jitter window",
	async ({ seen }) => {
		await using broker = await startMosquitto();
		const clients = Array.from(
			{ length: COUNT },
			(_, index) => new ClientUnderTest(broker.url, { clientId: `c${index}`, listens: false }),
		);
		await using _ = {
			[Symbol.asyncDispose]: async () => void (await Promise.all(clients.map((it) => it.client.close()))),
		};
		for (const { client } of clients) await client.connect();
		await broker.kill();
		const delays = () =>
			clients.map(({ reports }) => reports.filter(({ message }) => /next attempt in/.test(message)).map(delayOf));
		await eventually(() => expect(delays().every(({ length }) => length >= 3)).toBe(true), { timeoutMs: 20_000 });
		const shares = [250, 500, 1_000].map((stepMs, round) => {
			const tenths = new Array<number>(10).fill(0);
			for (const drawn of delays()) tenths[Math.min(9, Math.floor(((drawn[round]! / stepMs - 0.25) / 0.75) * 10))]!++;
			return Math.max(...tenths) / COUNT;
		});
		for (const share of shares) expect(share).toBeLessThanOrEqual(0.2);
		await broker.start();
		await eventually(() => expect(clients.every(({ client }) => client.state === "online")).toBe(true), {
			timeoutMs: 35_000,
		});
		seen(`fullest tenths: ${shares.map((share) => `${Math.round(share * 100)} %`).join(", ")}; all online again`);
	},
	60_000,
);
