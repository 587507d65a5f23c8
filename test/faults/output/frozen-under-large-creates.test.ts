import { expect } from "vitest";
import { startLine } from "../../integration/sidecar/line.js";
import { residentMiB } from "../process/figures.js";
import { fault } from "../support/fault.js";

const COUNT = 200;

fault(
	{
		rows: ["F-29", "S-17"],
		injected: "mosquitto is frozen (SIGSTOP) while creates of 1 MiB come, all at once",
		scale: `${COUNT} creates instead of 10,000`,
	},
	"creates of 1 MiB against a frozen broker: so many wait, the others get 503, and memory is bounded",
	async ({ seen }) => {
		await using line = await startLine({ fields: { publishTimeout: "5s" } });
		const { broker, sidecar } = line;
		broker.freeze();
		const body = { operation: "create", data: "x".repeat(1_024 * 1_024), metadata: { topic: "out/x" } };
		let mostMiB = 0;
		const sampler = setInterval(() => {
			mostMiB = Math.max(mostMiB, residentMiB(sidecar.pid));
		}, 50);
		const answers = await Promise.all(
			Array.from({ length: COUNT }, async () => {
				const answer = await sidecar.create("orders", body);
				return { status: answer.status, text: await answer.text() };
			}),
		).finally(() => clearInterval(sampler));
		broker.thaw();
		const refused = answers.filter(({ status }) => status === 503);
		const others = answers.filter(({ status }) => status !== 503);
		expect(refused.length).toBeGreaterThan(COUNT / 3);
		expect(others.length).toBeGreaterThan(10);
		for (const { text } of others) expect(text).toMatch(/not sent|outcome unknown/);
		expect(mostMiB).toBeLessThan(600);
		seen(
			`${refused.length} of ${COUNT} told 503, ${others.length} "not sent" or "outcome unknown"; at most ${Math.round(mostMiB)} MiB resident`,
		);
	},
	60_000,
);
