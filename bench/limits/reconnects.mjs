import { setTimeout as sleep } from "node:timers/promises";
import { stop } from "../processes.mjs";
import { benchClient } from "./client.mjs";
import { startMosquitto } from "./mosquitto.mjs";
import { until } from "./observe.mjs";

const ROUNDS = 4;
/** Longer than a connection must last for its back-off to begin anew. */
const STEADY_MS = 11_000;

/** Many clients lose one broker: they come back spread over their jitter windows. */
export async function reconnects({ scale, folder, atEnd, progress, judge }) {
	const count = Math.round(500 * Math.max(scale, 0.4));
	const broker = await startMosquitto(folder, atEnd);
	const rounds = Array.from({ length: ROUNDS }, () => []);
	const clients = Array.from({ length: count }, (_, index) => {
		const it = benchClient(broker.port, { clientId: `c${index}`, cleanSession: true });
		let [lostAt, round] = [0, 0];
		it.on("state", (state) => {
			if (state === "offline") lostAt = performance.now();
			if (state !== "connecting" || lostAt === 0) return;
			const stepMs = Math.min(250 * 2 ** round, 30_000);
			rounds[round]?.push((performance.now() - lostAt - stepMs / 4) / (stepMs * 0.75));
			round++;
		});
		return it;
	});
	atEnd(() => Promise.all(clients.map((it) => it.close())));
	progress(`connects ${count} clients`);
	for (const it of clients) await it.connect();
	progress(`${count} clients, steady for ${STEADY_MS / 1_000} s`);
	await sleep(STEADY_MS);
	await stop(broker.process);
	progress(`the broker is gone for ${ROUNDS} rounds`);
	await until("each client tried in each round", () => rounds.every(({ length }) => length === count), 60_000, false);
	const restartedAt = performance.now();
	await broker.start();
	const online = () => clients.filter(({ state }) => state === "online").length;
	await until("all online", () => online() === count, 60_000, false);
	const backSeconds = (performance.now() - restartedAt) / 1_000;
	for (const [round, list] of rounds.entries()) {
		const tenths = new Array(10).fill(0);
		for (const part of list) tenths[Math.min(Math.max(Math.floor(part * 10), 0), 9)]++;
		const share = Math.max(...tenths) / count;
		const isMet = list.length === count && share <= 0.2;
		judge(
			`attempts of round ${round + 1} by ${list.length} of ${count}, in the fullest tenth`,
			`${(share * 100).toFixed(0)} %`,
			"<= 20 %",
			isMet,
		);
	}
	judge(
		"online after the restart",
		`${online()} in ${backSeconds.toFixed(1)} s`,
		`${count} in 35 s`,
		online() === count && backSeconds <= 35,
	);
}
