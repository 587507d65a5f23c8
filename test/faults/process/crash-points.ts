import { eventually } from "../../support/eventually.js";
import type { FaultRun } from "../support/fault-run.js";
import type { Replacement } from "../support/patched-build.js";
import { between } from "../support/seeded-random.js";

/** What is added to a copy of the built program for the points that no wire shows: a signal arms them, the next message fires them. */
export const CRASH_PATCHES: readonly Replacement[] = [
	{
		file: "bindings/mqtt3-input.js",
		from: "export class Mqtt3Input {",
		to: `let crashAt;
process.on("SIGUSR2", () => (crashAt = "called"));
process.on("SIGWINCH", () => (crashAt = "accepted"));
export class Mqtt3Input {`,
	},
	{
		file: "bindings/mqtt3-input.js",
		from: `        if ("kind" in verdict) {`,
		to: `        if (crashAt === "called")
            setTimeout(() => process.kill(process.pid, "SIGKILL"), 2);
        if ("kind" in verdict) {`,
	},
	{
		file: "bindings/mqtt3-input.js",
		from: `            delivery.stage = "settled";
            delivery.ack();`,
		to: `            if (crashAt === "accepted")
                process.kill(process.pid, "SIGKILL");
            delivery.stage = "settled";
            delivery.ack();`,
	},
];

/** A moment at which the sidecar dies. */
export interface CrashPoint {
	/** `C1` to `C9` of faults.md. */
	readonly id: string;
	readonly moment: string;
	/** Makes it die at the next such moment, or at one of the next. */
	readonly arm: (run: FaultRun) => void;
}

export const CRASH_POINTS: readonly CrashPoint[] = [
	{ id: "C1", moment: "PUBLISH received", arm: (run) => kill(run, "from server", "publish") },
	{ id: "C2", moment: "app called", arm: (run) => signal(run, "SIGUSR2") },
	{ id: "C3", moment: "app said 2xx", arm: (run) => signal(run, "SIGWINCH") },
	{ id: "C4", moment: "PUBACK written", arm: (run) => kill(run, "from client", "puback") },
	{ id: "C4", moment: "PUBACK written and lost", arm: (run) => kill(run, "from client", "puback", "swallowed") },
	{ id: "C5", moment: "PUBLISH of a create written", arm: (run) => kill(run, "from client", "publish") },
	{ id: "C6", moment: "PUBACK of a create received", arm: (run) => kill(run, "from server", "puback") },
	{ id: "C7", moment: "SUBSCRIBE sent", arm: (run) => killAtReconnect(run, "subscribe") },
	{ id: "C8", moment: "CONNECT sent", arm: (run) => killAtReconnect(run, "connect") },
	{ id: "C9", moment: "DISCONNECT written", arm: (run) => killAtStop(run) },
	{ id: "C9", moment: "in shutdown", arm: (run) => killInShutdown(run) },
];

/** Lets the sidecar die at that point; resolves, once it has, with whether the point was reached. */
export async function crashAt(run: FaultRun, point: CrashPoint): Promise<boolean> {
	const { lives } = run;
	point.arm(run);
	const died = () => eventually(() => run.lives > lives, { timeoutMs: 6_000 });
	try {
		await died();
		return true;
	} catch {
		run.killSidecar(`${point.moment}: not reached`);
		await died();
		return false;
	}
}

function kill(
	run: FaultRun,
	direction: "from client" | "from server",
	type: "publish" | "puback",
	packet: "forwarded" | "swallowed" = "forwarded",
): void {
	void run.proxy.on(direction, type, between(run.random, 1, 4), { packet, after: () => run.killSidecar() });
}

function signal(run: FaultRun, name: NodeJS.Signals): void {
	run.expectEnd("crash point armed");
	run.sidecar.signal(name);
}

function killAtReconnect(run: FaultRun, type: "connect" | "subscribe"): void {
	void run.proxy.on("from client", type, 1, { after: () => run.killSidecar() });
	run.proxy.reset();
}

function killAtStop(run: FaultRun): void {
	void run.proxy.on("from client", "disconnect", 1, { after: () => run.killSidecar() });
	run.stopSidecar();
}

function killInShutdown(run: FaultRun): void {
	run.stopSidecar();
	setTimeout(() => run.killSidecar(), between(run.random, 0, 30));
}
