// This build against that of another commit. Every round measures this build once and the other one twice, each time in another order: the
// ratio of the other to itself is the spread, and only what is slower by more than the spread and 5 % counts.
import { buildOther } from "./other-build.mjs";
import { Bench, median } from "./processes.mjs";

const TOLERANCE = 0.05;

/** Measures, prints a table; resolves with the names of what became slower. */
export async function against(commit, rounds, scale, only) {
	const other = await buildOther(commit);
	const bench = await Bench.start();
	try {
		const builds = { ours: bench.dist, theirs: other.dist, again: other.dist };
		const rows = [];
		for (const [group, measure] of Object.entries(MEASURES)) {
			if (!only.includes(group)) continue;
			const figures = await measureGroup(bench, builds, rounds, group, measure, scale);
			for (const item of Object.keys(figures.ours)) rows.push(compare(item, figures));
		}
		console.log(`this build against ${other.name}; Node ${process.version}, ${rounds} rounds, scale ${scale}`);
		console.log(
			"ratios are medians, below 1 is worse; slower: more than 5 % beyond the spread of that commit against itself",
		);
		console.table(rows);
		return rows.filter(({ verdict }) => verdict === "SLOWER").map(({ what }) => what);
	} finally {
		await bench.close();
		await other.remove();
	}
}

/** What to measure: each returns figures by name; those in ms and MB are better when smaller. */
const MEASURES = {
	drain: async (bench, scale, name) => {
		const count = Math.round(200_000 * scale);
		const clientId = `drain-${name}`;
		await bench.subscribeSessions([clientId]);
		await bench.fill(count);
		const drained = await bench.measureChild("drain-ours.mjs", [bench.brokerPort, clientId, count, bench.dist]);
		await bench.dropSessions([clientId]);
		return { "drain, library, /s": count / drained.seconds };
	},
	deliver: async (bench, scale) => {
		const { messages, seconds, rssMb } = await bench.deliver(Math.round(60_000 * scale));
		return { "backlog → HTTP app, /s": messages / seconds, "memory, backlog flowing, MB": rssMb };
	},
	create: async (bench, scale) => {
		const rate = async (count, connections) => {
			const { messages, seconds } = await bench.create("sidecar", Math.round(count * scale), connections);
			return messages / seconds;
		};
		return {
			"create, 64 connections, /s": await rate(60_000, 64),
			"create, 1 connection, /s": await rate(10_000, 1),
		};
	},
	start: async (bench) => ({ "start to first delivery, ms": await bench.startToFirstDelivery() }),
	memory: async (bench) => ({ "memory, idle, MB": await bench.idleMemory() }),
};

async function measureGroup(bench, builds, rounds, group, measure, scale) {
	const names = Object.keys(builds);
	const figures = Object.fromEntries(names.map((name) => [name, {}]));
	for (let round = 0; round < rounds; round++) {
		for (let turn = 0; turn < names.length; turn++) {
			const name = names[(round + turn) % names.length];
			process.stderr.write(`\r\x1b[K${group}: round ${round + 1} of ${rounds}, ${name}`);
			bench.dist = builds[name];
			for (const [item, figure] of Object.entries(await measure(bench, scale, name))) {
				figures[name][item] ??= [];
				figures[name][item].push(figure);
			}
		}
	}
	process.stderr.write("\r\x1b[K");
	return figures;
}

function compare(what, { ours, theirs, again }) {
	const smallerIsBetter = /, (ms|MB)$/.test(what);
	const ratios = (list) =>
		list.map((figure, round) => {
			const ratio = figure / theirs[what][round];
			return smallerIsBetter ? 1 / ratio : ratio;
		});
	const ratio = median(ratios(ours[what]));
	const spread = median(ratios(again[what]).map((one) => Math.abs(one - 1)));
	return {
		what,
		ours: Math.round(median(ours[what])),
		theirs: Math.round(median([...theirs[what], ...again[what]])),
		ratio: ratio.toFixed(3),
		spread: `± ${(spread * 100).toFixed(1)} %`,
		verdict: ratio < 1 - TOLERANCE - spread ? "SLOWER" : "ok",
	};
}
