import { execFileSync } from "node:child_process";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { logged, metric, untilReady } from "../../integration/sidecar/component.js";
import { distinct, numbers } from "../../integration/sidecar/line.js";
import { eventually } from "../../support/eventually.js";
import { describeWith } from "../../support/left-out.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { fault } from "../support/fault.js";
import { startWatchedLine } from "../support/watched-line.js";
import { cpuSeconds, residentMiB } from "./figures.js";

const MIB = 1_024 * 1_024;

describeWith("mosquitto", "a process", () => {
	describeWith("prlimit", "with few file descriptors", () => {
		fault(
			{
				rows: ["F-76"],
				injected: "64 file descriptors, all taken by connections to the API, then the broker restarts",
			},
			"attempts follow the back-off with the reason in words, nothing spins, and all is well once descriptors are free",
			async ({ seen }) => {
				await using line = await startWatchedLine();
				const { sidecar, broker, device, app } = line;
				execFileSync("prlimit", [`--pid=${line.sidecar.pid}`, "--nofile=64:64"]);
				const idle: Socket[] = [];
				await device.close();
				await broker.stop();
				await sidecar.line(/code=(disconnected|connect-failed)/);
				try {
					for (let n = 0; n < 80; n++) {
						const socket = connect(sidecar.port, "127.0.0.1");
						socket.on("error", () => {});
						idle.push(socket);
					}
					await broker.start();
					await sidecar.line(/too many open files/, 40_000);
					const cpuBefore = cpuSeconds(sidecar.pid);
					const linesBefore = sidecar.output.length;
					await sleep(5_000);
					const cpu = (cpuSeconds(sidecar.pid) - cpuBefore) / 5;
					const lines = sidecar.output.length - linesBefore;
					expect(cpu).toBeLessThan(0.2);
					expect(lines).toBeLessThan(10);
					expect(sidecar.running).toBe(true);
					const attempts = logged(sidecar, "connect-failed").length;
					for (const socket of idle) socket.destroy();
					await untilReady(sidecar, 40_000);
					await using again = await connectDevice(broker.url);
					await again.publish("in/a", "after");
					await app.acceptedAtLeast(1);
					seen(
						`"this process has too many open files"; ${attempts} attempts so far, ${(100 * cpu).toFixed(1)} % of a processor and ${lines} lines in 5 s; with descriptors free it connected, and a message was accepted`,
					);
				} finally {
					for (const socket of idle) socket.destroy();
				}
			},
			120_000,
		);
	});

	fault(
		{
			rows: ["F-77"],
			injected:
				"a heap of 64 MB (--max-old-space-size=64), mosquitto with a window of 1,000, messages of 1 MiB, an app that answers nothing at first",
			scale: "200 messages",
		},
		"the caps hold: no crash, memory bounded, nothing acknowledged that was not accepted, nothing lost",
		async ({ seen }) => {
			await using line = await startWatchedLine({
				broker: { maxInflightMessages: 1_000, logPackets: true },
				app: { end: "hang" },
				fields: { qos: 1 },
				sidecar: { nodeArgs: ["--max-old-space-size=64"] },
			});
			const { sidecar, device, app, broker } = line;
			const acknowledged = () => broker.log.filter((entry) => entry.includes("PUBACK from sidecar-orders")).length;
			const filler = Buffer.alloc(MIB - 8, "x");
			const payloads = numbers(200);
			let most = 0;
			const watch = setInterval(() => {
				if (sidecar.running) most = Math.max(most, residentMiB(sidecar.pid));
			}, 50);
			try {
				for (const number of payloads) {
					await device.publish("in/a", Buffer.concat([Buffer.from(number.padEnd(8)), filler]));
				}
				await eventually(
					async () => expect(await metric(sidecar, "mqtt3_binding_unacknowledged_bytes{")).toBeGreaterThan(60 * MIB),
					{
						timeoutMs: 30_000,
					},
				);
				await sleep(2_000);
				const buffered = (await metric(sidecar, "mqtt3_binding_unacknowledged_bytes{")) / MIB;
				expect(sidecar.running).toBe(true);
				expect(app.accepted()).toHaveLength(0);
				expect(acknowledged()).toBe(0);
				expect(buffered).toBeLessThan(68);
				await app.kill();
				await app.answer({});
				await app.start();
				await app.acceptedAtLeast(200, 60_000);
				const accepted = distinct(app.accepted().map(({ payload }) => payload.subarray(0, 8).toString().trim()));
				expect(accepted).toEqual(payloads);
				expect(await metric(sidecar, "mqtt3_binding_connects_total{")).toBe(1);
				await eventually(async () => expect(await metric(sidecar, "mqtt3_binding_unacknowledged{")).toBe(0));
				expect(acknowledged()).toBe(200);
				expect(most).toBeLessThan(450);
				seen(
					`${buffered.toFixed(0)} MiB un-acknowledged while the app answered nothing, none acknowledged, the connection kept; then all 200 accepted; at most ${most.toFixed(0)} MiB resident`,
				);
			} finally {
				clearInterval(watch);
			}
		},
		120_000,
	);
});
