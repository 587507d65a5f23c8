import { usage } from "../processes.mjs";
import { callAll } from "./call-all.mjs";
import { benchClient } from "./client.mjs";
import { startMosquitto } from "./mosquitto.mjs";
import { sampleMemory, until } from "./observe.mjs";
import { startSidecar } from "./sidecar.mjs";

const AFTERWARDS = 100;

/** Calls that nobody can serve: bounded, and each answer is true. */
export async function frozenBroker({ scale, folder, atEnd, progress, judge }) {
	// Fewer would not go beyond the 2,048 that may be pending.
	const count = Math.round(10_000 * Math.max(scale, 0.4));
	const broker = await startMosquitto(folder, atEnd);
	const arrived = new Set();
	const observer = benchClient(broker.port, {
		clientId: "observer",
		cleanSession: false,
		listener: {
			orphaned: () => {},
			adopted: () => {},
			died: () => {},
			delivered: (delivery) => {
				arrived.add(JSON.parse(Buffer.from(delivery.packet.payload).toString()));
				delivery.ack();
			},
		},
	});
	atEnd(() => observer.close());
	await observer.connect();
	observer.subscribe();
	await until("subscribed", () => observer.status().subscribed);
	const sidecar = await startSidecar(folder, atEnd, broker.port, undefined, "{ name: direction, value: output }");
	const isConnected = async () => (await sidecar.metric("connected")) === 1;
	await until("connected", isConnected);
	broker.process.kill("SIGSTOP");
	const { rssMb: start } = await usage(sidecar.pid);
	let isOver = false;
	const calls = callAll(sidecar.port, count).finally(() => {
		isOver = true;
	});
	const samples = await sampleMemory(
		sidecar.pid,
		120,
		(elapsed, rssMb) => progress(`${count} calls, ${elapsed} s, RSS ${rssMb.toFixed(0)} MB`),
		() => isOver,
	);
	const answers = await calls;
	broker.process.kill("SIGCONT");
	progress("thawed");
	await until("connected again", isConnected);
	const after = await callAll(sidecar.port, AFTERWARDS, count);
	const told = (kind) => answers.flatMap((answer, index) => (answer === kind ? [`c-${index}`] : []));
	const succeeded = [
		...told("success"),
		...after.flatMap((answer, index) => (answer === "success" ? [`c-${count + index}`] : [])),
	];
	// The broker hands over in order: with the last successes, what came before them is there as well.
	await until("all successes arrived", () => succeeded.every((payload) => arrived.has(payload)), 10_000, false);
	// No connection: the system's queue of those that wait to be accepted was full.
	const [refused, notSent, unknown] = [told("503"), told("not sent"), told("outcome unknown")];
	const ghosts = [...refused, ...notSent, ...told("no connection")].filter((payload) => arrived.has(payload)).length;
	const missing = succeeded.filter((payload) => !arrived.has(payload)).length;
	const reached = count - told("no connection").length;
	const works = after.filter((answer) => answer === "success").length;
	judge(`of ${count} calls at once, reached the sidecar`, `${reached}`, `>= ${count * 0.9}`, reached >= count * 0.9);
	judge("told 503, too many", `${refused.length}`, `>= ${count * 0.3}`, refused.length >= count * 0.3);
	judge("told outcome unknown", `${unknown.length}`, `>= ${count * 0.1}`, unknown.length >= count * 0.1);
	judge("told not sent", `${notSent.length}`, "any", true);
	judge("told success", `${told("success").length}`, "0, the broker was frozen", told("success").length === 0);
	judge("told nothing", `${told("no answer").length}`, "0", told("no answer").length === 0);
	judge("arrived, though 503 or not sent", `${ghosts}`, "0", ghosts === 0);
	judge(`of ${AFTERWARDS} calls after the thaw, succeeded`, `${works}`, "all", works === AFTERWARDS);
	judge("succeeded and never arrived", `${missing}`, "0", missing === 0);
	const most = Math.max(...samples);
	judge(`resident memory, largest (${start.toFixed(0)} MB before)`, `${most.toFixed(0)} MB`, "<= 400 MB", most <= 400);
}
