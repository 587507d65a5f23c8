import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { stop } from "../processes.mjs";

const MAIN = join(import.meta.dirname, "../../dist/cli/main.js");

/** The sidecar with one component, `bench`; without an app unless `appPort` is given. */
export async function startSidecar(folder, atEnd, brokerPort, appPort, fields) {
	await writeFile(
		join(folder, "bench.yaml"),
		`apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: bench }
spec:
  type: bindings.mqtt3
  metadata: [{ name: url, value: "tcp://127.0.0.1:${brokerPort}" }, { name: topic, value: bench }, { name: consumerID, value: bench }${fields && `, ${fields}`}]
`,
	);
	const flags = [
		"run",
		"--app-id",
		"bench",
		"--resources-path",
		folder,
		"--dapr-http-port",
		"0",
		"--metrics-port",
		"0",
	];
	if (appPort !== undefined) flags.push("--app-port", String(appPort));
	const child = spawn(process.execPath, [MAIN, ...flags], { stdio: ["ignore", "pipe", "inherit"] });
	atEnd(() => {
		child.kill("SIGKILL");
		return stop(child);
	});
	const found = {};
	const lines = createInterface({ input: child.stdout });
	await new Promise((resolve, reject) => {
		child.once("exit", () => reject(new Error("the sidecar has ended")));
		lines.on("line", (line) => {
			found.metrics ??= /metrics on (http:[^\s"]+)/.exec(line)?.[1];
			found.port ??= /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1];
			if (found.metrics && found.port) resolve();
		});
	});
	return {
		pid: child.pid,
		port: Number(found.port),
		/** All series of that name, added up. */
		metric: async (name) => {
			const text = await (await fetch(found.metrics)).text();
			const series = text.matchAll(new RegExp(`^mqtt3_binding_${name}(?:\\{.*\\})? (\\S+)$`, "gm"));
			return [...series].reduce((sum, [, value]) => sum + Number(value), 0);
		},
	};
}
