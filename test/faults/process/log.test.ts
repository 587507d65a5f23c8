import { expect } from "vitest";
import { metric } from "../../integration/sidecar/component.js";
import { eventually } from "../../support/eventually.js";
import { describeWith } from "../../support/left-out.js";
import type { SidecarProcess } from "../../support/sidecar-process.js";
import { fault } from "../support/fault.js";
import { startWatchedLine } from "../support/watched-line.js";

/** Standard output goes through a pipe to a reader of its own, which names its process and shows on standard error what it reads. */
const READER = 'exec "$1" -e "process.stdin.pipe(process.stderr)"';
const PIPED = ["bash", "-c", `exec "$@" > >(echo "reader $BASHPID" >&2; ${READER})`, "bash"];
const LOST = /(\d+) lines of the log were lost before this one/;
const API_LOG = ["--enable-api-logging", "--log-as-json"];

/** So many requests, each of which is a line of the log. */
async function makeLines(sidecar: SidecarProcess, count: number): Promise<void> {
	const path = `/v1.0/${"x".repeat(1_000)}`;
	const worker = async (requests: number) => {
		for (let n = 0; n < requests; n++) await (await fetch(sidecar.url + path)).arrayBuffer();
	};
	await Promise.all(Array.from({ length: 16 }, () => worker(count / 16)));
}

describeWith("bash", "a program that writes to a pipe", () => {
	describeWith("mosquitto", "a log that nobody reads", () => {
		fault(
			{ rows: ["F-78"], injected: "the reader of the log's pipe is stopped (SIGSTOP), and goes on later" },
			"messages flow both ways, lines beyond 1 MiB are lost, counted, and said once there is a reader; the end is not held up",
			async ({ seen }) => {
				await using line = await startWatchedLine({ sidecar: { under: PIPED, args: API_LOG } });
				const { sidecar, device, app } = line;
				const reader = Number((await sidecar.line(/^reader (\d+)/))[1]);
				process.kill(reader, "SIGSTOP");
				try {
					await makeLines(sidecar, 2_400);
					await device.publish("in/a", "while nobody reads");
					await app.acceptedAtLeast(1);
					const create = { operation: "create", data: 1, metadata: { topic: "out/x" } };
					expect((await sidecar.create("orders", create)).status).toBe(204);
					const lost = await metric(sidecar, "mqtt3_binding_log_lines_dropped_total{");
					const lag = await metric(sidecar, "mqtt3_binding_event_loop_lag_seconds{");
					expect(lost).toBeGreaterThan(0);
					expect(await metric(sidecar, "mqtt3_binding_connects_total{")).toBe(1);
					process.kill(reader, "SIGCONT");
					const [, said] = await sidecar.line(LOST);
					expect(Number(said)).toBeGreaterThanOrEqual(lost);
					process.kill(reader, "SIGSTOP");
					await makeLines(sidecar, 160);
					const before = performance.now();
					sidecar.signal("SIGTERM");
					await eventually(() => expect(() => process.kill(sidecar.pid, 0)).toThrow(), { timeoutMs: 10_000 });
					const endedMs = Math.round(performance.now() - before);
					expect(endedMs).toBeLessThan(8_000);
					process.kill(reader, "SIGCONT");
					expect(await sidecar.exited).toEqual({ code: 0, signal: null });
					seen(
						`${lost} lines lost and said so, a message and a create went through, the event loop was at most ${Math.round(lag * 1_000)} ms late; SIGTERM with a stopped reader: exit code 0 after ${endedMs} ms`,
					);
				} finally {
					try {
						process.kill(reader, "SIGKILL");
					} catch {
						// It has ended with its pipe.
					}
				}
			},
			60_000,
		);

		fault(
			{ rows: ["F-78"], injected: "standard output is closed after its first lines (| head -3)" },
			"nothing ends, messages flow, lost lines are counted, and the exit code is 0",
			async ({ seen }) => {
				await using line = await startWatchedLine({
					// What is needed of the output is shown on standard error, before the reader leaves.
					sidecar: { under: ["bash", "-c", 'exec "$@" > >(exec head -3 >&2)', "bash"], args: API_LOG },
				});
				const { sidecar, device, app } = line;
				await makeLines(sidecar, 3_200);
				await device.publish("in/a", "1");
				await app.acceptedAtLeast(1);
				const lost = await eventually(async () => {
					const count = await metric(sidecar, "mqtt3_binding_log_lines_dropped_total{");
					expect(count).toBeGreaterThan(0);
					return count;
				});
				expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
				seen(`${lost} lines counted as lost, the message went through, exit code 0`);
			},
			60_000,
		);
	});
});
