import { setTimeout as sleep } from "node:timers/promises";
import type { FaultRun } from "../support/fault-run.js";
import { between } from "../support/seeded-random.js";

/** What may happen. Each is whole again when it resolves. */
const DISASTERS: Readonly<Record<string, (run: FaultRun) => Promise<void> | void>> = {
	"connection reset": (run) => run.proxy.reset(),
	"connections refused": async (run) => {
		run.proxy.refuse();
		run.proxy.reset();
		await sleep(between(run.random, 100, 1_500));
		await run.proxy.heal();
	},
	"silent partition": async (run) => {
		run.proxy.blackhole();
		await sleep(between(run.random, 500, 4_000));
		await run.proxy.heal();
	},
	"half-open": (run) => run.proxy.finish(run.random() < 0.5 ? "from server" : "from client"),
	latency: async (run) => {
		run.proxy.shape({ latencyMs: [0, 200] });
		await sleep(between(run.random, 500, 2_000));
		await run.proxy.heal();
	},
	"PUBACK lost": (run) => {
		void run.proxy.on("from client", "puback", between(run.random, 1, 20), {
			packet: "swallowed",
			after: (link) => link.reset(),
		});
	},
	"sidecar killed": (run) => run.killSidecar(),
	"sidecar stopped": (run) => run.stopSidecar(),
	"sidecar frozen": (run) => run.freezeSidecar(sleep(between(run.random, 500, 4_000))),
	"broker restarted": (run) => run.restartBroker(),
	"broker killed": async (run) => {
		await run.killBroker();
		await run.broker.start();
	},
	"app killed": (run) => run.killApp(),
	"app cut off": (run) => run.cutApp(),
	"app frozen": async (run) => {
		run.fault("app frozen");
		run.app.freeze();
		await sleep(between(run.random, 500, 3_000));
		run.app.thaw();
	},
	"app refuses": async (run) => {
		run.fault("app refuses");
		await run.app.answer({ delayMs: [0, 20], status: 500 });
		await sleep(between(run.random, 300, 1_500));
		await run.app.answer({ delayMs: [0, 20] });
	},
};

/** One disaster after the other, with pauses, for so long; resolves with how often each came. The run's seed decides which. */
export async function chaos(run: FaultRun, ms: number): Promise<ReadonlyMap<string, number>> {
	const names = Object.keys(DISASTERS);
	const played = new Map<string, number>();
	const until = performance.now() + ms;
	while (performance.now() < until) {
		await sleep(between(run.random, 100, 1_200));
		const name = names[between(run.random, 0, names.length - 1)]!;
		played.set(name, (played.get(name) ?? 0) + 1);
		await DISASTERS[name]!(run);
	}
	return played;
}
