import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { ACCEPTED } from "../../../src/bindings/binding.js";
import { MosquittoInput, numbered, textOf } from "../../integration/input/mosquitto-input.js";
import { eventually } from "../../support/eventually.js";
import { describeWith } from "../../support/left-out.js";
import { fault } from "../support/fault.js";

/** Mosquitto looks for silent clients every five seconds. */
const BLOCKED_MS = 8_000;

/** Work that does not yield. */
function block(): void {
	for (const end = performance.now() + BLOCKED_MS; performance.now() < end; );
}

describeWith("mosquitto", "a program that uses the library", () => {
	fault(
		{
			rows: ["S-47", "F-74"],
			injected:
				"a handler computes without yielding for longer than the broker waits, while other messages are in work",
			scale: "eight seconds at a keep-alive of one second instead of ten or fifteen",
		},
		"the broker ends the connection; it is made again, nothing stale is acknowledged, and a report names the lag",
		async ({ seen }) => {
			await using line = await MosquittoInput.open({ keepAliveMs: 1_000 }, { logPackets: true });
			const { mosquitto } = line;
			const calls: string[] = [];
			const accepted = new Set<string>();
			let hasBlocked = false;
			await line.read(async (event) => {
				const text = textOf(event);
				calls.push(text);
				await sleep(500);
				if (text === "p0" && !hasBlocked) {
					hasBlocked = true;
					block();
				}
				accepted.add(text);
				return ACCEPTED;
			});
			await line.send(...numbered(5, "p"));
			await eventually(() => expect(line.count("event-loop-blocked")).toBe(1), { timeoutMs: 15_000 });
			await mosquitto.line(/Client input has exceeded timeout/);
			await eventually(() => expect(mosquitto.log.join("\n")).toContain("Sending CONNACK to input (1, 0)"), {
				timeoutMs: 15_000,
			});
			await line.send("after");
			await eventually(() => expect([...accepted].toSorted()).toEqual(["after", ...numbered(5, "p")]));
			await eventually(() => expect(line.binding.statistics().input?.unacknowledged).toBe(0));
			const resumedAt = mosquitto.log.findIndex((entry) => entry.includes("Sending CONNACK to input (1, 0)"));
			const gaveUpAt = mosquitto.log.findIndex((entry) => entry.includes("Client input has exceeded timeout"));
			const acknowledged = (from: number, to?: number) =>
				mosquitto.log.slice(from, to).filter((entry) => entry.includes("Received PUBACK from input")).length;
			const sent = mosquitto.log.slice(resumedAt).filter((entry) => entry.includes("Sending PUBLISH to input")).length;
			await eventually(() => expect(acknowledged(resumedAt)).toBe(sent));
			expect(acknowledged(gaveUpAt, resumedAt)).toBe(0);
			// Those in flight may come to the handler once more, and no other.
			expect(calls.length).toBeLessThanOrEqual(11);
			const report = line.reports.find(({ code }) => code === "event-loop-blocked");
			expect(report?.details?.lateMs).toBeGreaterThan(BLOCKED_MS - 1_500);
			seen(
				`"${report?.message.split(":")[0]}"; the broker gave the connection up and sent ${sent - 1} messages and a new one on the next, each acknowledged there; ${calls.length - 6} calls repeated`,
			);
		},
		60_000,
	);
});
