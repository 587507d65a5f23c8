import { createServer, type Socket } from "node:net";
import { expect, onTestFinished } from "vitest";
import { ClientUnderTest, delayOf } from "../../integration/client/client-under-test.js";
import { pass, withFastTime } from "../../integration/client/fast-time.js";
import { listen } from "../../support/connection-recorder.js";
import { eventually } from "../../support/eventually.js";
import { fault } from "../support/fault.js";

withFastTime();

const CLIENTS = 500;
/** Each twice the one before; a delay is drawn between a quarter of a step and all of it. */
const STEPS_MS = [250, 500, 1_000, 2_000];
/** Of the attempts of a round, what a tenth of its window may hold. */
const MOST_IN_A_TENTH = 0.2;

/** A broker of a few lines: CONNACK for whatever comes first, then nothing. */
function startBrokerOfManyClients() {
	const sockets = new Set<Socket>();
	const server = createServer((socket) => {
		sockets.add(socket);
		socket.once("data", () => socket.write(Buffer.of(0x20, 2, 0, 0)));
		socket.on("data", () => {}).on("error", () => {});
		socket.once("close", () => sockets.delete(socket));
	});
	const end = () => {
		server.close();
		for (const socket of sockets) socket.destroy();
	};
	onTestFinished(end);
	return { server, sockets, end };
}

/** Sockets need real time. */
async function turnsFor(ms: number): Promise<void> {
	for (const until = Date.now() + ms; Date.now() < until; ) await new Promise((resolve) => setImmediate(resolve));
}

fault(
	{
		rows: ["F-17"],
		injected: `a broker with ${CLIENTS} clients goes away under all of them at once, and comes back`,
		scale: "an injected clock",
	},
	"in each round the attempts spread over the whole jitter window: no tenth of it holds more than 20 % of them",
	async ({ seen }) => {
		const first = startBrokerOfManyClients();
		const port = await listen(first.server);
		const clients = Array.from(
			{ length: CLIENTS },
			(_, index) =>
				new ClientUnderTest(`mqtt://127.0.0.1:${port}`, {
					clientId: `client-${index}`,
					listens: false,
					subscriptions: [],
				}),
		);
		onTestFinished(async () => void (await Promise.all(clients.map((it) => it[Symbol.asyncDispose]()))));
		await Promise.all(clients.map(({ client }) => client.connect()));
		expect(first.sockets.size).toBe(CLIENTS);
		first.end();
		const delays = ({ reports }: ClientUnderTest) =>
			reports.filter(({ code }) => code === "disconnected" || code === "connect-failed").map(delayOf);
		await eventually(() => expect(clients.every((it) => delays(it).length > 0)).toBe(true));
		while (clients.some((it) => delays(it).length < STEPS_MS.length)) await pass(500);
		const fullest = STEPS_MS.map((stepMs, round) => {
			const tenths = Array<number>(10).fill(0);
			for (const it of clients) {
				const share = (delays(it)[round]! / stepMs - 0.25) / 0.75;
				// Reports round to whole milliseconds.
				tenths[Math.min(9, Math.max(0, Math.floor(share * 10)))]!++;
			}
			return Math.max(...tenths) / CLIENTS;
		});
		for (const share of fullest) expect(share).toBeLessThanOrEqual(MOST_IN_A_TENTH);
		const again = startBrokerOfManyClients();
		await new Promise<void>((resolve) => again.server.listen(port, "127.0.0.1", resolve));
		const online = () => clients.filter(({ client }) => client.state === "online").length;
		for (let seconds = 0; seconds < 60 && online() < CLIENTS; seconds += 1) {
			await pass(1_000);
			await turnsFor(50);
		}
		expect(online()).toBe(CLIENTS);
		seen(
			`fullest tenth of the rounds: ${fullest.map((share) => `${Math.round(share * 100)} %`).join(", ")}; all ${CLIENTS} came back`,
		);
	},
	60_000,
);
