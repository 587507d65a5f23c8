import { setTimeout as sleep } from "node:timers/promises";
import { type SoakParts, WELL } from "./soak-parts.js";

/** Who is hurt. */
export type Victim = "broker" | "app" | "sidecar" | "network";

/** A fault of the soak: what it does, and its undoing. */
export interface SoakFault {
	readonly name: string;
	readonly victim: Victim;
	/** Connections or processes end: copies may follow. */
	readonly cuts: boolean;
	/** The sidecar may see a FIN of its broker, and be taken back at once. */
	readonly finishes: boolean;
	/** `ms`: how long it lasts. Resolves when all is whole again. */
	readonly play: (parts: SoakParts, ms: number) => Promise<void>;
	/** The least and the greatest `ms`. */
	readonly lasts: readonly [number, number];
}

const FINISHING: ReadonlySet<string> = new Set([
	"broker stopped and started",
	"broker killed and started",
	"half-open from the broker",
	"half-open from the sidecar",
]);

function fault(
	victim: Victim,
	name: string,
	cuts: boolean,
	lasts: SoakFault["lasts"],
	play: SoakFault["play"],
): SoakFault {
	return { victim, name, cuts, finishes: FINISHING.has(name), lasts, play };
}

async function misbehave({ app }: SoakParts, manner: Parameters<typeof app.behave>[0], ms: number): Promise<void> {
	app.behave(manner);
	await sleep(ms);
	app.behave(WELL);
}

/** What may happen, all equally often. */
export const SOAK_FAULTS: readonly SoakFault[] = [
	fault("broker", "broker stopped and started", true, [200, 4_000], async ({ broker }, ms) => {
		await broker.stop();
		await sleep(ms);
		await broker.start();
	}),
	fault("broker", "broker killed and started", true, [200, 4_000], async ({ broker }, ms) => {
		await broker.kill();
		await sleep(ms);
		await broker.start();
	}),
	fault("broker", "broker frozen", true, [1_000, 15_000], async ({ broker }, ms) => {
		broker.freeze();
		await sleep(ms);
		broker.thaw();
	}),
	fault("app", "app killed and started", true, [200, 5_000], async ({ app }, ms) => {
		await app.kill();
		await sleep(ms);
		await app.start();
	}),
	fault("app", "app slow", false, [2_000, 8_000], (parts, ms) =>
		misbehave(parts, { delayMs: [20, 500], status: 200 }, ms),
	),
	fault("app", "app refuses with 500", false, [1_000, 6_000], (parts, ms) =>
		misbehave(parts, { delayMs: [0, 20], status: 500 }, ms),
	),
	fault("app", "app frozen", false, [1_000, 12_000], async ({ app }, ms) => {
		app.signal("SIGSTOP");
		await sleep(ms);
		app.signal("SIGCONT");
	}),
	fault("sidecar", "sidecar killed and started", true, [0, 2_000], async ({ sidecar }, ms) => {
		await sidecar.kill();
		await sleep(ms);
		await sidecar.start();
	}),
	fault("sidecar", "sidecar stopped and started", true, [0, 2_000], async ({ sidecar }, ms) => {
		const { code, signal } = await sidecar.stop({ timeoutMs: 60_000 });
		if (code !== 0 && code !== 1) throw new Error(`the sidecar ended with ${signal ?? code} on SIGTERM`);
		await sleep(ms);
		await sidecar.start();
	}),
	fault("network", "connection reset", true, [0, 0], async ({ proxy }) => proxy.reset()),
	fault("network", "connections reset and refused", true, [500, 6_000], async ({ proxy }, ms) => {
		proxy.refuse();
		proxy.reset();
		await sleep(ms);
		await proxy.heal();
	}),
	fault("network", "silent partition", true, [1_000, 15_000], async ({ proxy }, ms) => {
		proxy.blackhole();
		await sleep(ms);
		await proxy.heal();
	}),
	fault("network", "half-open from the broker", true, [0, 0], async ({ proxy }) => proxy.finish("from server")),
	fault("network", "half-open from the sidecar", true, [0, 0], async ({ proxy }) => proxy.finish("from client")),
	fault("network", "latency", false, [2_000, 8_000], async ({ proxy }, ms) => {
		proxy.shape({ latencyMs: [20, 400] });
		await sleep(ms);
		await proxy.heal();
	}),
	fault("network", "a few bytes at a time", false, [1_000, 3_000], async ({ proxy }, ms) => {
		proxy.shape({ sliceBytes: 16 });
		await sleep(ms);
		await proxy.heal();
	}),
	fault("network", "the app's PUBACK lost, then reset", true, [3_000, 3_000], ({ proxy }, ms) =>
		lost(proxy, "from client", ms),
	),
	fault("network", "the broker's PUBACK lost, then reset", true, [3_000, 3_000], ({ proxy }, ms) =>
		lost(proxy, "from server", ms),
	),
];

async function lost(proxy: SoakParts["proxy"], direction: "from client" | "from server", ms: number): Promise<void> {
	const fired = proxy.on(direction, "puback", 1, { packet: "swallowed", after: (link) => link.reset() });
	await Promise.race([fired, sleep(ms)]);
}
