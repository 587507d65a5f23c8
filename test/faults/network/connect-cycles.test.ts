import { readdirSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, onTestFinished } from "vitest";
import { ClientUnderTest } from "../../integration/client/client-under-test.js";
import { listen } from "../../support/connection-recorder.js";
import { eventually } from "../../support/eventually.js";
import { fault } from "../support/fault.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** What a process holds. */
interface Holdings {
	readonly descriptors: number;
	readonly timers: number;
	readonly sockets: number;
	readonly listeners: number;
	readonly heapBytes: number;
}

async function holdings(): Promise<Holdings> {
	// What ends in this turn is gone in the next.
	for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
	collectGarbage();
	const resources = process.getActiveResourcesInfo();
	return {
		descriptors: readdirSync("/proc/self/fd").length,
		timers: resources.filter((kind) => kind === "Timeout").length,
		sockets: resources.filter((kind) => kind === "TCPSocketWrap").length,
		listeners: process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0),
		heapBytes: process.memoryUsage().heapUsed,
	};
}

/** A broker of a few lines that keeps nothing: CONNACK for CONNECT, SUBACK for SUBSCRIBE, FIN for FIN. */
async function startForgetfulBroker(): Promise<string> {
	const sockets = new Set<Socket>();
	const server = createServer((socket) => {
		sockets.add(socket);
		socket.on("close", () => sockets.delete(socket));
		socket.on("error", () => {});
		socket.on("data", (chunk) => {
			const type = chunk[0]! >> 4;
			if (type === 1) socket.write(Buffer.of(0x20, 2, 0, 0));
			if (type === 8) socket.write(Buffer.of(0x90, 3, chunk[2]!, chunk[3]!, 1));
		});
	});
	const port = await listen(server);
	onTestFinished(() => {
		for (const socket of sockets) socket.destroy();
		server.close();
	});
	return `mqtt://127.0.0.1:${port}`;
}

const CYCLES = 1_000;
const WARM_UP = 300;

fault(
	{
		rows: ["F-20"],
		injected: `${CYCLES} clients that connect, subscribe and close`,
		scale: "1,000 cycles instead of 10,000",
	},
	"clean connects and disconnects: descriptors, timers, sockets and listeners as before, memory flat",
	async ({ seen }) => {
		const url = await startForgetfulBroker();
		const cycle = async () => {
			await using it = new ClientUnderTest(url);
			it.client.subscribe();
			await it.client.connect();
			while (!it.client.status().subscribed) await new Promise((resolve) => setImmediate(resolve));
		};
		for (let round = 0; round < WARM_UP; round++) await cycle();
		const before = await holdings();
		for (let round = 0; round < CYCLES; round++) await cycle();
		const after = await eventually(async () => {
			const now = await holdings();
			expect(now.sockets).toBeLessThanOrEqual(before.sockets);
			expect(now.descriptors).toBeLessThanOrEqual(before.descriptors + 2);
			return now;
		});
		expect(after.timers).toBeLessThanOrEqual(before.timers + 1);
		expect(after.listeners).toBe(before.listeners);
		const grown = (after.heapBytes - before.heapBytes) / CYCLES;
		// A client that stays behind costs tens of kilobytes; what the engine keeps of its own varies.
		expect(grown).toBeLessThan(2_000);
		seen(
			`after ${WARM_UP} and after ${WARM_UP + CYCLES} cycles: descriptors ${before.descriptors} and ${after.descriptors}, timers ${before.timers} and ${after.timers}, sockets ${before.sockets} and ${after.sockets}, listeners of the process ${before.listeners} and ${after.listeners}, heap ${Math.round(grown)} bytes a cycle`,
		);
	},
	120_000,
);
