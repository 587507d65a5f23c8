import { expect } from "vitest";
import { eventually } from "../../support/eventually.js";
import { residentMiB } from "../process/figures.js";
import { fault } from "../support/fault.js";
import { startWatchedLine } from "../support/watched-line.js";

fault(
	{
		rows: ["S-8"],
		injected: "an app that takes 9 s a message while 900 wait, with a keep-alive of 1 s and maxInFlight 5",
		scale: "nine keep-alives instead of 120, 900 messages; the bench queues 50,000",
	},
	"an app that blocks keeps the connection: pings are answered, memory is flat, and no more than maxInFlight are at the app",
	async ({ seen }) => {
		await using line = await startWatchedLine({
			broker: { logPackets: true },
			app: { delayMs: 9_000 },
			fields: { keepAlive: "1s", maxInFlight: 5 },
		});
		const { broker, app, sidecar, device } = line;
		await device.publishAll(900, (index) => ({ topic: "in/a", payload: String(index) }));
		await eventually(() => expect(app.requests()).toHaveLength(5));
		const startMiB = residentMiB(sidecar.pid);
		const own = (pattern: RegExp) =>
			broker.log.filter((text) => text.includes("sidecar-orders") && pattern.test(text)).length;
		await eventually(() => expect(own(/Sending PINGRESP/)).toBeGreaterThanOrEqual(5), { timeoutMs: 20_000 });
		const pings = own(/Sending PINGRESP/);
		expect(app.requests().filter(({ answeredAt }) => answeredAt === undefined).length).toBeLessThanOrEqual(5);
		await app.acceptedAtLeast(5, 20_000);
		const grownMiB = residentMiB(sidecar.pid) - startMiB;
		expect(grownMiB).toBeLessThan(20);
		expect(own(/New client connected/)).toBe(1);
		seen(`${pings} PINGREQ answered on one connection, 5 at the app; memory grew by ${Math.round(grownMiB)} MiB`);
	},
	60_000,
);
