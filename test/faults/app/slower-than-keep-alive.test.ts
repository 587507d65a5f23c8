import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { ACCEPTED, type ReadResponse } from "../../../src/bindings/binding.js";
import { MosquittoInput, textOf } from "../../integration/input/mosquitto-input.js";
import { distinct, numbers, texts } from "../../integration/sidecar/line.js";
import { eventually } from "../../support/eventually.js";
import { fault } from "../support/fault.js";
import { startWatchedLine } from "../support/watched-line.js";

fault(
	{
		rows: ["F-35"],
		injected: "an app that takes 4 s a message, with a keep-alive of 1 s",
		scale: "four times the keep-alive, for two rounds",
	},
	"an app slower than the keep-alive costs no connection, and create works meanwhile",
	async ({ seen }) => {
		await using line = await startWatchedLine({
			broker: { logPackets: true },
			app: { delayMs: 4_000 },
			fields: { keepAlive: "1s" },
		});
		const { broker, app, sidecar, device } = line;
		await device.publishAll(30, (index) => ({ topic: "in/a", payload: String(index) }));
		await eventually(() => expect(app.requests()).toHaveLength(20));
		const started = performance.now();
		const answer = await sidecar.create("orders", { operation: "create", data: 1, metadata: { topic: "out/x" } });
		expect(answer.status).toBe(204);
		expect(performance.now() - started).toBeLessThan(1_000);
		expect(distinct(texts(await app.acceptedAtLeast(30, 20_000)))).toEqual(numbers(30));
		const own = broker.log.filter((text) => text.includes("sidecar-orders"));
		expect(own.filter((text) => /Received PINGREQ/.test(text)).length).toBeGreaterThan(4);
		expect(own.filter((text) => /New client connected/.test(text))).toHaveLength(1);
		expect(app.requests()).toHaveLength(30);
		const pings = own.filter((text) => /Received PINGREQ/.test(text)).length;
		seen(`30 of 30 accepted once, ${pings} PINGREQ on one connection, create answered 204 meanwhile`);
	},
	60_000,
);

fault(
	{
		rows: ["F-35"],
		injected: "a handler of the library that takes ten keep-alives",
		scale: "ten times a keep-alive of 1 s",
	},
	"a handler slower than the keep-alive keeps the connection, and is acknowledged when it ends",
	async ({ seen }) => {
		await using line = await MosquittoInput.open({ keepAliveMs: 1_000 });
		const done: string[] = [];
		await line.read(async (event) => {
			// Mosquitto closes after one and a half keep-alives of silence.
			await sleep(10_000);
			done.push(textOf(event));
			return ACCEPTED;
		});
		await line.send("slow");
		await eventually(() => expect(done).toEqual(["slow"]), { timeoutMs: 20_000 });
		expect([line.count("connected"), line.count("disconnected")]).toEqual([1, 0]);
		expect(await line.stop(5_000)).toBe(true);
		expect(await leftOver(line)).toEqual([]);
		seen("one connection, none lost in 10 s; nothing left at the broker after the stop");
	},
	60_000,
);

/** What mosquitto still has for the session, in order. It sends what waited before what is new. */
async function leftOver(line: MosquittoInput): Promise<string[]> {
	const came: string[] = [];
	await line.read((event: ReadResponse) => {
		came.push(textOf(event));
		return ACCEPTED;
	});
	await line.send("marker");
	await eventually(() => expect(came).toContain("marker"));
	return came.slice(0, -1);
}
