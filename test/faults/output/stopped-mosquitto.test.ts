import { expect } from "vitest";
import { component, metric, untilReady } from "../../integration/sidecar/component.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { startSidecar } from "../../support/sidecar-process.js";
import { fault } from "../support/fault.js";

const MIB = 1024 * 1024;
const CALLS = 200;
/** What may wait here: 64 MiB of payloads. */
const MOST_WAITING = 64 * MIB;

fault(
	{
		rows: ["F-29"],
		injected: `SIGSTOP to mosquitto, and ${CALLS} creates of 1 MiB within a moment`,
		scale: "200 instead of 10,000 calls",
	},
	"bounded: beyond what may wait they are 503 at once; each is told the truth, and memory stays below its bound",
	async ({ seen }) => {
		await using broker = await startMosquitto();
		await using observer = await connectDevice(broker.url);
		await observer.subscribe("out/#", 1);
		const components = component({
			url: broker.url,
			direction: "output",
			topic: "out/x",
			publishTimeout: "6s",
			keepAlive: "60s",
		});
		await using sidecar = await startSidecar({ components });
		await untilReady(sidecar);
		const rss = async () => await metric(sidecar, "process_resident_memory_bytes");
		const before = await rss();
		broker.freeze();
		const padding = "x".repeat(MIB);
		let most = 0;
		const watch = setInterval(() => void rss().then((bytes) => (most = Math.max(most, bytes))), 250);
		const answers = await Promise.all(
			Array.from({ length: CALLS }, async (_, index) => {
				const answer = await sidecar.create("orders", { operation: "create", data: `${index} ${padding}` });
				return { index, status: answer.status, text: (await answer.text()).replace(/.*orders: ([a-z ]+): .*/, "$1") };
			}),
		);
		clearInterval(watch);
		broker.thaw();
		const count = (text: string) => answers.filter((answer) => answer.text === text).length;
		const refused = answers.filter(({ status }) => status === 503).length;
		expect(refused).toBeGreaterThan(CALLS / 2);
		expect(answers.filter(({ status }) => status === 204)).toEqual([]);
		expect(count("not sent") + count("outcome unknown")).toBe(CALLS);
		expect(most - before).toBeLessThan(4 * MOST_WAITING);
		// It goes on, and nothing arrives that was not sent.
		await untilReady(sidecar);
		expect((await sidecar.create("orders", { operation: "create", data: "after" })).status).toBe(204);
		await expect
			.poll(() => observer.messages.some(({ payload }) => String(payload) === '"after"'), { timeout: 20_000 })
			.toBe(true);
		const notSent = new Set(answers.filter(({ text }) => text === "not sent").map(({ index }) => index));
		const arrived = observer.messages.map(({ payload }) => Number.parseInt(payload.toString("latin1", 1, 8), 10));
		expect(arrived.filter((index) => notSent.has(index))).toEqual([]);
		seen(
			`${refused} times 503, ${count("not sent")} not sent, ${count("outcome unknown")} unknown; memory +${Math.round((most - before) / MIB)} MiB; ${arrived.length - 1} arrived after all, none that was not sent`,
		);
	},
	60_000,
);
