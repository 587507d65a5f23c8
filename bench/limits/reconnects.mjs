import { setTimeout as sleep } from "node:timers/promises";
import { stop } from "../processes.mjs";
import { benchClient } from "./client.mjs";
import { startMosquitto } from "./mosquitto.mjs";
import { until } from "./observe.mjs";

const ROUNDS = 4;
const FIRST_STEP_MS = 250;
/** Longer than a connection must last for its back-off to begin anew. */
const STEADY_MS = 11_000;

/** Many clients lose one broker: they come back spread over their jitter windows. */
export async function reconnects({ scale, folder, atEnd, progress, judge }) {
	const count = Math.round(500 * Math.max(scale, 0.4));
	const broker = await startMosquitto(folder, atEnd);
	const rounds = Array.from({ length: ROUNDS }, () => []);
	const drawn = [];
	const clients = Array.from({ length: count }, (_, index) => {
		let [lostAt, round] = [0, 0];
		const it = benchClient(broker.port, {
			clientId: `c${index}`,
			cleanSession: true,
			onReport: ({ message }) => {
				const delay = /next attempt in (\d+) ms/.exec(message)?.[1];
				if (delay !== undefined && round === 0)
					drawn.push((Number(delay) - FIRST_STEP_MS / 4) / (FIRST_STEP_MS * 0.75));
			},
		});
		it.on("state", (state) => {
			if (state === "offline") lostAt = performance.now();
			if (state !== "connecting" || lostAt === 0) return;
			const stepMs = FIRST_STEP_MS * 2 ** round;
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
	const judgeShare = (what, parts, most) => {
		const share = fullestTenth(parts);
		const isMet = parts.length === count && share <= most;
		judge(`${what}, ${parts.length} of ${count}: the fullest tenth`, percent(share), `<= ${percent(most)}`, isMet);
	};
	judgeShare("delays drawn for round 1", drawn, 0.2);
	// That window is 188 ms wide, and for as long one process is busy with so many sockets that end together: what was due meanwhile comes at once.
	for (const [round, parts] of rounds.entries())
		judgeShare(`attempts of round ${round + 1}`, parts, round === 0 ? 0.5 : 0.2);
	judge(
		"online after the restart",
		`${online()} in ${backSeconds.toFixed(1)} s`,
		`${count} in 35 s`,
		online() === count && backSeconds <= 35,
	);
}

/** The share of the parts of a window that lie in the fullest tenth of it. */
function fullestTenth(parts) {
	const tenths = new Array(10).fill(0);
	for (const part of parts) tenths[Math.min(Math.max(Math.floor(part * 10), 0), 9)]++;
	return Math.max(...tenths) / parts.length;
}

function percent(share) {
	return `${(share * 100).toFixed(0)} %`;
}
