import { startApp } from "./app.mjs";
import { benchClient, fill } from "./client.mjs";
import { startMosquitto } from "./mosquitto.mjs";
import { sampleMemory, until } from "./observe.mjs";
import { startSidecar } from "./sidecar.mjs";

/** A slow app and a long queue: memory flat, each PINGREQ answered, one connection. */
export async function slowApp({ seconds, scale, folder, atEnd, progress, judge }) {
	const count = Math.round(50_000 * scale);
	const seen = { pings: 0, answers: 0, connects: 0 };
	const broker = await startMosquitto(folder, atEnd, (line) => {
		if (/Received PINGREQ from bench$/.test(line)) seen.pings++;
		if (/Sending PINGRESP to bench$/.test(line)) seen.answers++;
		if (/New client connected .* as bench /.test(line)) seen.connects++;
	});
	const session = benchClient(broker.port, { clientId: "bench", cleanSession: false });
	await session.connect();
	session.subscribe();
	await until("subscribed", () => session.status().subscribed);
	await session.close();
	progress(`queues ${count} messages`);
	await fill(broker.port, count);
	seen.connects = 0;
	const app = await startApp(atEnd, 1_000);
	// One at a time: the gaps between PUBACKs are as long as the keep-alive, so that PINGREQs are due.
	const fields = "{ name: keepAlive, value: 1s }, { name: maxInFlight, value: 1 }";
	const sidecar = await startSidecar(folder, atEnd, broker.port, app.port, fields);
	await until("the first message accepted", () => app.accepted > 0);
	const before = app.accepted;
	const samples = await sampleMemory(sidecar.pid, seconds, (elapsed, rssMb) =>
		progress(`${elapsed} of ${seconds} s, RSS ${rssMb.toFixed(0)} MB, ${app.accepted} accepted, ${seen.pings} pings`),
	);
	const accepted = app.accepted - before;
	const [, middle, last] = thirds(samples);
	judge("messages queued at the broker", `${count}`, "50,000 x scale", count > seconds * 2);
	judge(
		`accepted in ${seconds} s by an app of 1 s a message`,
		`${accepted}`,
		`>= ${Math.floor(seconds * 0.7)}`,
		accepted >= Math.floor(seconds * 0.7),
	);
	judge("resident memory, largest", mb(Math.max(...samples)), "<= 160 MB", Math.max(...samples) <= 160);
	judge(
		"memory, median of the last third beyond that of the middle third",
		mb(last - middle),
		"<= 5 MB",
		last - middle <= 5,
	);
	judge("PINGREQs", `${seen.pings}`, `>= ${Math.floor(seconds / 4)}`, seen.pings >= Math.floor(seconds / 4));
	judge("PINGREQs without a PINGRESP", `${seen.pings - seen.answers}`, "0", seen.pings === seen.answers);
	judge("connections made", `${seen.connects}`, "1", seen.connects === 1);
	judge("connected at the end", `${await sidecar.metric("connected")}`, "1", (await sidecar.metric("connected")) === 1);
}

/** The median of each third, in the order of time. */
function thirds(samples) {
	const size = Math.floor(samples.length / 3);
	return [0, 1, 2].map((part) => samples.slice(part * size, (part + 1) * size).toSorted((a, b) => a - b)[size >> 1]);
}

function mb(value) {
	return `${value.toFixed(1)} MB`;
}
