import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { clientBends } from "./client-bends.js";
import { permutations } from "./permutations.js";
import type { ClientBend } from "./publish-broker.js";
import { PublishWorld } from "./publish-world.js";

/** More runs: MODEL_RUNS=20 for twenty times as many; MODEL_SEED replays what a failure printed. */
const TIMES = Number(process.env.MODEL_RUNS ?? 1);
const SEED = process.env.MODEL_SEED === undefined ? undefined : Number(process.env.MODEL_SEED);

type Step = readonly [name: string, act: (world: PublishWorld) => Promise<void>];

const pick = fc.nat(9);
const keeps = fc.oneof({ weight: 5, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) });
const step: fc.Arbitrary<Step> = fc.oneof(
	{
		weight: 8,
		arbitrary: fc
			.tuple(fc.constantFrom(1, 1, 1, 2, 2, 0), fc.constantFrom(1_500, 20_000, 120_000))
			.map(([qos, ms]): Step => [`create ${qos} ${ms}`, (world) => world.create(qos as 0 | 1 | 2, ms)]),
	},
	{ weight: 6, arbitrary: fc.integer({ min: 1, max: 4 }).map((n): Step => [`read ${n}`, (world) => world.read(n)]) },
	{ weight: 6, arbitrary: pick.map((n): Step => [`answer ${n}`, (world) => world.answer(n)]) },
	{ weight: 2, arbitrary: pick.map((n): Step => [`cancel ${n}`, (world) => world.cancel(n)]) },
	{ weight: 3, arbitrary: fc.constant<Step>(["cut", (world) => world.cut()]) },
	{ weight: 5, arbitrary: keeps.map((kept): Step => [`connect ${kept}`, (world) => world.connect(kept)]) },
	{
		weight: 1,
		arbitrary: keeps.map((kept): Step => [`connect unheard ${kept}`, (world) => world.connectUnheard(kept)]),
	},
	{ weight: 2, arbitrary: fc.boolean().map((does): Step => [`clog ${does}`, (world) => world.clog(does)]) },
	{
		weight: 2,
		arbitrary: fc.constantFrom(500, 2_000, 12_000).map((ms): Step => [`pass ${ms}`, (world) => world.pass(ms)]),
	},
);
const steps = fc.array(step, { maxLength: 60, size: "max" });

type Seen = Partial<PublishWorld["broker"]["seen"]>;

/** What broke, after which steps; `kept` when nothing did. `seen` counts what happened. */
async function outcome(numRuns: number, bend?: () => ClientBend, seen: Seen = {}): Promise<string> {
	const details = await fc.check(
		fc.asyncProperty(steps, fc.boolean(), async (todo, closes) => {
			const world = new PublishWorld(bend?.());
			try {
				await world.connect(false);
				for (const [, act] of todo) await act(world);
				if (!closes) await world.heal();
				await world.close();
			} finally {
				vi.clearAllTimers();
				for (const [name, count] of Object.entries(world.broker.seen)) {
					seen[name as keyof Seen] = (seen[name as keyof Seen] ?? 0) + count;
				}
			}
		}),
		{ numRuns, ...(SEED !== undefined && { seed: SEED }) },
	);
	if (!details.failed) return "kept";
	const [todo, closes] = details.counterexample ?? [[], false];
	const names = [...todo.map(([name]) => name), closes ? "close" : "heal"];
	const error = details.errorInstance;
	return `${error instanceof Error ? error.message : String(error)} after: ${names.join(", ")} (seed ${details.seed})`;
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("create against a model of broker and wire", () => {
	it("tells each caller the truth, once, whatever comes in whatever order", async () => {
		const seen: Seen = {};
		expect(await outcome(1_200 * TIMES, undefined, seen)).toBe("kept");
		// Runs in which little of this happened would prove little.
		for (const what of ["again", "anew", "unknown", "notSent", "succeeded"] as const) {
			expect(seen[what], what).toBeGreaterThan(50);
		}
	});

	it("refuses what is beyond its bound as not sent, and goes on when there is room", async () => {
		const world = new PublishWorld();
		await world.connect(false);
		await world.create(1, 60_000, 3_000);
		expect(world.broker.seen).toMatchObject({ refused: 3_000 - 2_048, notSent: 3_000 - 2_048 });
		await world.cut();
		await world.create(1, 60_000, 10);
		expect(world.broker.seen.refused).toBe(3_010 - 2_048);
		await world.connect(true);
		await world.heal();
		expect(world.broker.seen).toMatchObject({ succeeded: 2_050, unknown: 0 });
		await world.close();
	});
});

describe("the model catches a client that", () => {
	for (const [name, { bend, reason }] of Object.entries(clientBends)) {
		it(name, async () => {
			expect(await outcome(6_000, bend)).toMatch(reason);
		});
	}
});

describe("P18: every order of PUBACK, lost connection, deadline, cancellation and reconnect", () => {
	const events: Readonly<Record<string, (world: PublishWorld) => Promise<void>>> = {
		answer: async (world) => {
			await world.read(9);
			await world.answer(0);
		},
		cut: (world) => world.cut(),
		deadline: (world) => world.pass(2_500),
		cancel: (world) => world.cancel(0),
		reconnect: (world) => world.connect(true),
		"session lost": (world) => world.connect(false),
	};
	for (const qos of [1, 2] as const) {
		it(`settles a publish of QoS ${qos} exactly once, as I6 and I7 have it`, async () => {
			const outcomes = new Set<string>();
			for (const order of permutations(Object.keys(events))) {
				const world = new PublishWorld();
				await world.connect(false);
				await world.create(qos, 2_000);
				try {
					for (const name of order) await events[name]!(world);
					const { told, error } = world.broker.calls.get("c1")!;
					expect(told).toBe(1);
					outcomes.add(error?.outcome ?? "success");
					await world.heal();
					await world.close();
				} catch (error) {
					throw new Error(`in the order ${order.join(", ")}`, { cause: error });
				} finally {
					vi.clearAllTimers();
				}
			}
			expect(outcomes).toContain("unknown");
			expect(outcomes).toContain(qos === 1 ? "success" : "unknown");
		});
	}
});
