// Everything side by side in one run: pairs alternate, medians of --rounds (default 5). Needs mosquitto on the PATH and `npm run build`.
//   npm run bench                        all
//   npm run bench -- --only drain,create --rounds 3 --scale 0.2
//   npm run bench -- --only limits --seconds 60       what stays bounded under load; not among "all"
//   npm run bench -- --against HEAD~5          this build and that of another commit; fails when this one is slower
import { parseArgs } from "node:util";
import { against } from "./against.mjs";
import { limits } from "./limits/limits.mjs";
import { Bench, median } from "./processes.mjs";

const { values } = parseArgs({
	options: {
		rounds: { type: "string", default: "5" },
		scale: { type: "string" },
		against: { type: "string" },
		seconds: { type: "string", default: "60" },
		only: { type: "string", default: "drain,deliver,create,grpc,plugged,start,memory" },
	},
});
const KNOWN = ["drain", "deliver", "create", "grpc", "plugged", "start", "memory", "limits"];
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const scale = Number(values.scale ?? (values.against === undefined ? 1 : 0.2));
const only = values.only.split(",");
const unknown = only.filter((name) => !KNOWN.includes(name));
if (unknown.length > 0 || !(seconds >= 5)) {
	console.error(`--only takes ${KNOWN.join(", ")}, --seconds 5 or more; got ${values.only}, ${values.seconds}`);
	process.exit(2);
}
if (values.against !== undefined) {
	const slower = await against(values.against, rounds, scale, only);
	for (const what of slower) console.error(`slower than ${values.against}: ${what}`);
	process.exit(slower.length > 0 ? 1 : 0);
}
const failed = only.includes("limits") ? await limits({ seconds, scale }) : [];
process.exitCode = failed.length > 0 ? 1 : 0;
if (only.every((name) => name === "limits")) process.exit();
const rows = [];

const bench = await Bench.start();

/** Runs the contenders alternately; returns their medians by name. */
async function compare(title, contenders) {
	const results = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
	for (let round = 0; round < rounds; round++) {
		for (const [name, run] of Object.entries(contenders)) {
			process.stderr.write(`\r\x1b[K${title}: round ${round + 1} of ${rounds}, ${name}`);
			results[name].push(await run(round));
		}
	}
	process.stderr.write("\r\x1b[K");
	return Object.fromEntries(
		Object.entries(results).map(([name, list]) => [
			name,
			{
				rate: median(list.map(({ messages, seconds }) => messages / seconds)),
				cpuUs: median(list.map(({ cpuUs }) => cpuUs)),
				rssMb: median(list.map(({ rssMb }) => rssMb)),
				latencyMs: median(list.map(({ medianMs }) => medianMs ?? Number.NaN)),
			},
		]),
	);
}

function add(what, ours, reference, referenceName, goal, unit = "/s") {
	rows.push({
		what,
		ours: `${Math.round(ours.rate).toLocaleString("en")} ${unit}`,
		"CPU µs": Number.isNaN(ours.cpuUs) ? "" : ours.cpuUs.toFixed(1),
		"RSS MB": Number.isNaN(ours.rssMb) ? "" : ours.rssMb.toFixed(0),
		reference: `${referenceName} ${Math.round(reference.rate).toLocaleString("en")} ${unit}`,
		"its CPU µs": Number.isNaN(reference.cpuUs) ? "" : reference.cpuUs.toFixed(1),
		ratio: (ours.rate / reference.rate).toFixed(2),
		goal,
	});
}

try {
	await measure();
} finally {
	await bench.close();
}
console.log(`Node ${process.version}, ${rounds} rounds, scale ${scale}, mosquitto with a window of 1,000; medians`);
console.table(rows);

async function measure() {
	if (only.includes("drain")) {
		const count = Math.round(200_000 * scale);
		const names = ["floor", "ours", "mqttjs"];
		const scripts = { floor: "floor.mjs", ours: "drain-ours.mjs", mqttjs: "drain-mqttjs.mjs" };
		await bench.subscribeSessions(names.map((name) => `drain-${name}`));
		const run = (name) => async () => {
			if (name === names[0]) await bench.fill(count);
			return bench.measureChild(scripts[name], [bench.brokerPort, `drain-${name}`, count, bench.dist]);
		};
		const result = await compare("drain", Object.fromEntries(names.map((name) => [name, run(name)])));
		add("drain of a session, library", result.ours, result.floor, "floor", "≥ 0.6");
		add("", result.ours, result.mqttjs, "MQTT.js", "≥ 2");
		await bench.dropSessions(names.map((name) => `drain-${name}`));
	}

	if (only.includes("deliver") || only.includes("memory")) {
		const count = Math.round(60_000 * scale);
		let loadedMb = 0;
		const result = await compare("backlog to an HTTP app", {
			ours: async () => {
				const measured = await bench.deliver(count);
				loadedMb = Math.max(loadedMb, measured.rssMb);
				return measured;
			},
			dispatch: async () => bench.measureDispatch(count),
		});
		add("backlog → HTTP app, sidecar", result.ours, result.dispatch, "dispatch", "≥ 0.7");
		const idleMb = await bench.idleMemory();
		rows.push({ what: "resident memory, idle", ours: `${idleMb.toFixed(0)} MB`, goal: "≤ 90 MB" });
		rows.push({
			what: "resident memory, backlog flowing",
			ours: `${loadedMb.toFixed(0)} MB (largest)`,
			goal: "≤ 160 MB",
		});
	}

	if (only.includes("create")) {
		for (const connections of [64, 1]) {
			const count = Math.round((connections === 1 ? 10_000 : 60_000) * scale);
			const result = await compare(`create over HTTP, ${connections} connections`, {
				ours: async () => bench.create("sidecar", count, connections),
				thin: async () => bench.create("thin-server.mjs", count, connections),
				mqttjs: async () => bench.create("thin-server-mqttjs.mjs", count, connections),
			});
			const what = `create over HTTP, ${connections} connection${connections === 1 ? "" : "s"} (median ${result.ours.latencyMs.toFixed(2)} ms)`;
			add(what, result.ours, result.thin, "thin server", connections === 64 ? "≥ 0.8" : "");
			add("", result.ours, result.mqttjs, "thin + MQTT.js", connections === 64 ? "≥ 2" : "");
		}
	}

	if (only.includes("grpc")) {
		const count = Math.round(40_000 * scale);
		const delivered = await compare("backlog to a gRPC app", {
			ours: async () => bench.deliver(count, "grpc"),
			bare: async () => bench.measureDispatch(count, "grpc"),
			http2: async () => bench.measureDispatch(count, "grpc", "http2-dispatch.mjs"),
		});
		add("backlog → gRPC app, sidecar", delivered.ours, delivered.bare, "bare grpc-js client", "≥ 0.75");
		add("", delivered.ours, delivered.http2, "bare node:http2 client", "");
		const invoked = await compare("InvokeBinding, 64 in flight", {
			ours: async () => bench.create("sidecar", count, 64, "grpc"),
			thin: async () => bench.create("thin-grpc-server.mjs", count, 64, "grpc"),
			http2: async () => bench.create("thin-http2-server.mjs", count, 64, "grpc"),
		});
		add("InvokeBinding, 64 in flight", invoked.ours, invoked.thin, "bare grpc-js server", "≥ 0.75");
		add("", invoked.ours, invoked.http2, "bare node:http2 server", "");
	}

	if (only.includes("plugged")) {
		const result = await compare("backlog through the component's socket", {
			ours: async () => bench.plugged("component", Math.round(60_000 * scale)),
			bare: async () => bench.plugged("thin-stream-server.mjs", Math.round(60_000 * scale)),
		});
		add("backlog → daprd, component", result.ours, result.bare, "bare grpc-js stream", "");
		rows.push({
			what: "",
			ours: `${result.ours.cpuUs.toFixed(1)} µs CPU`,
			reference: `bare grpc-js stream ${result.bare.cpuUs.toFixed(1)} µs CPU`,
			ratio: (result.ours.cpuUs / result.bare.cpuUs).toFixed(2),
			goal: "≤ 1.3",
		});
	}

	if (only.includes("start")) {
		const timed = (measure) => async () => ({
			messages: 1,
			seconds: (await measure()) / 1_000,
			cpuUs: Number.NaN,
			rssMb: Number.NaN,
		});
		const result = await compare("start to first delivery", {
			ours: timed(() => bench.startToFirstDelivery()),
			grpc: timed(() => bench.startToFirstDelivery("grpc")),
			node: timed(() => bench.bareStart()),
		});
		const [ours, grpc, node] = [1_000 / result.ours.rate, 1_000 / result.grpc.rate, 1_000 / result.node.rate];
		for (const [what, took, goal] of [
			["start to first delivery", ours, "≤ 6"],
			["the same to a gRPC app", grpc, ""],
		]) {
			rows.push({
				what,
				ours: `${took.toFixed(0)} ms`,
				reference: `node -e 0 ${node.toFixed(0)} ms`,
				ratio: (took / node).toFixed(2),
				goal,
			});
		}
	}
}
