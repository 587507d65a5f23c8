import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { freePort, listens, stop } from "../processes.mjs";

/** A mosquitto of the bench's own, which can be started again on its port; `onLine` hears its log. */
export async function startMosquitto(folder, atEnd, onLine = () => {}) {
	const port = await freePort();
	const settings = `listener ${port} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 1000\nmax_queued_messages 0\nlog_type all\nlog_dest stdout\n`;
	await writeFile(join(folder, "mosquitto.conf"), settings);
	const it = {
		port,
		process: undefined,
		start: async () => {
			it.process = spawn("mosquitto", ["-c", join(folder, "mosquitto.conf")], { stdio: ["ignore", "pipe", "ignore"] });
			createInterface({ input: it.process.stdout }).on("line", onLine);
			await listens(port);
		},
	};
	atEnd(() => {
		it.process.kill("SIGCONT");
		return stop(it.process);
	});
	await it.start();
	return it;
}
