import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { stop } from "../processes.mjs";
import { startApp } from "./app.mjs";
import { sampleMemory, until } from "./observe.mjs";
import { startSidecar } from "./sidecar.mjs";

const RATE = 100_000;

/** QoS 0 beyond what the app takes: bounded, counted, and QoS 1 loses nothing. The generator is the broker itself. */
export async function flood({ seconds, folder, atEnd, progress, judge }) {
	const generator = fork(join(import.meta.dirname, "flood-broker.mjs"), [String(seconds), String(RATE)]);
	atEnd(() => stop(generator));
	const [{ port }] = await once(generator, "message");
	const app = await startApp(atEnd, 20);
	let isOver = false;
	const flooded = once(generator, "message").then(() => {
		isOver = true;
	});
	const sidecar = await startSidecar(folder, atEnd, port, app.port, "");
	const samples = await sampleMemory(
		sidecar.pid,
		seconds + 60,
		(elapsed, rssMb) => progress(`${elapsed} of ${seconds} s, RSS ${rssMb.toFixed(0)} MB, ${app.accepted} accepted`),
		() => isOver,
	);
	await flooded;
	const report = async () => {
		generator.send("report");
		return (await once(generator, "message"))[0];
	};
	progress("the rest is delivered");
	await until(
		"nothing waits",
		async () => (await sidecar.metric("waiting")) + (await sidecar.metric("in_flight")) === 0,
		60_000,
	);
	await until(
		"all acknowledged",
		async () => {
			const { pubacks, qos1 } = await report();
			return pubacks >= qos1;
		},
		10_000,
		false,
	);
	const sent = await report();
	const dropped = await sidecar.metric("dropped_total");
	const [got0, got1] = [app.different("z"), app.different("o")];
	const perSecond = Math.round(sent.qos0 / sent.runSeconds);
	judge(
		`QoS 0 a second for ${sent.runSeconds.toFixed(0)} s, ${RATE} offered`,
		`${perSecond}`,
		`>= ${RATE * 0.9}`,
		perSecond >= RATE * 0.9,
	);
	judge("resident memory, largest", `${Math.max(...samples).toFixed(0)} MB`, "<= 400 MB", Math.max(...samples) <= 400);
	judge("QoS 0 dropped and counted", `${dropped}`, "> 0", dropped > 0);
	judge(
		`QoS 0 neither at the app (${got0}) nor counted, of ${sent.qos0}`,
		`${sent.qos0 - got0 - dropped}`,
		"0",
		sent.qos0 === got0 + dropped,
	);
	judge(`QoS 1 accepted of ${sent.qos1}`, `${got1}`, "all", sent.qos1 > 0 && got1 === sent.qos1);
	judge(`QoS 1 acknowledged of ${sent.qos1}`, `${sent.pubacks}`, "each once", sent.pubacks === sent.qos1);
	judge("connections made", `${sent.connects}`, "1", sent.connects === 1);
}
