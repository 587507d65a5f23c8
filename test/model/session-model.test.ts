import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BrokerModel, type Engine, type ResendStyle } from "./broker-model.js";
import { type Bug, PlainEngine, RealEngine } from "./engines.js";

type Step = (model: BrokerModel, engine: Engine) => void;

/** Two contents stand for messages that can't be told apart, the numbers for all others. */
const content = fc.oneof(fc.constantFrom("same", "alike"), fc.integer({ min: 0, max: 1_000 }).map(String));
const pick = fc.nat(7);

const step: fc.Arbitrary<readonly [string, Step]> = fc.oneof(
	{
		weight: 6,
		arbitrary: content.map((text) => [`publish ${text}`, (m: BrokerModel, e: Engine) => m.publish(e, text)] as const),
	},
	{
		weight: 6,
		arbitrary: fc
			.tuple(pick, fc.boolean())
			.map(([n, ok]) => [`answer ${n} ${ok}`, (m: BrokerModel, e: Engine) => m.answer(e, n, ok)] as const),
	},
	{ weight: 3, arbitrary: fc.constant(["exchange", (m: BrokerModel, e: Engine) => m.exchange(e)] as const) },
	{ weight: 2, arbitrary: fc.constant(["disconnect", (m: BrokerModel, e: Engine) => m.disconnect(e)] as const) },
	{
		weight: 3,
		arbitrary: fc
			.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.constant(false))
			.map((keeps) => [`connect ${keeps}`, (m: BrokerModel, e: Engine) => m.connect(e, keeps)] as const),
	},
	{
		weight: 1,
		arbitrary: fc
			.boolean()
			.map((keeps) => [`connect unheard ${keeps}`, (m: BrokerModel, e: Engine) => m.connectUnheard(e, keeps)] as const),
	},
	{ weight: 1, arbitrary: pick.map((n) => [`copy ${n}`, (m: BrokerModel, e: Engine) => m.copy(e, n)] as const) },
	{
		weight: 1,
		arbitrary: fc
			.tuple(pick, content)
			.map(([n, text]) => [`reuse ${n} ${text}`, (m: BrokerModel, e: Engine) => m.reuse(e, n, text)] as const),
	},
);

function play(engine: Engine, style: ResendStyle, steps: readonly (readonly [string, Step])[]): void {
	const model = new BrokerModel(style);
	model.connect(engine, false);
	for (const [, act] of steps) act(model, engine);
	model.heal(engine);
}

/**
 * What broke, after which steps; `kept` when nothing did. Only what `sought` matches counts: a wrong engine breaks more than one thing,
 * and which one a run finds first, and shrinks to, is chance.
 */
function outcome(make: () => Engine, style: ResendStyle, numRuns: number, sought = /^/): string {
	const details = fc.check(
		fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
			try {
				play(make(), style, steps);
			} catch (error) {
				if (error instanceof Error && sought.test(error.message)) throw error;
			}
		}),
		{ numRuns },
	);
	if (!details.failed) return "kept";
	const steps = details.counterexample?.[0].map(([name]) => name) ?? [];
	const reason = details.errorInstance instanceof Error ? details.errorInstance.message : "";
	return `${reason} after: ${steps.join(", ")} (seed ${details.seed})`;
}

describe("the session against a model of broker, wire and app", () => {
	for (const style of ["dup", "no-dup", "renumber"] as const) {
		it(`keeps I1 to I5, I9 and I13 with a broker that resends in the style "${style}"`, () => {
			const engines: RealEngine[] = [];
			const make = () => {
				const engine = new RealEngine();
				engines.push(engine);
				return engine;
			};
			expect(outcome(make, style, 1_500)).toBe("kept");
			const sum = (name: "adopted" | "copies" | "stale") =>
				engines.reduce((total, { counters }) => total + counters[name], 0);
			// A run in which nothing of this happened would prove nothing.
			expect(sum("copies")).toBeGreaterThan(50);
			expect(sum("stale")).toBeGreaterThan(50);
			if (style !== "no-dup") expect(sum("adopted")).toBeGreaterThan(50);
		});
	}

	it("keeps them with ackOrder: strict", () => {
		expect(outcome(() => new RealEngine({ strict: true }), "dup", 1_000)).toBe("kept");
	});

	it("keeps them when the buffer is so small that orphans are forgotten", () => {
		expect(outcome(() => new RealEngine({ maxBuffered: 450 }), "dup", 1_000)).toBe("kept");
	});

	it("is not fooled by the checks: a plain engine without adoption passes them as well", () => {
		expect(outcome(() => new PlainEngine(), "dup", 500)).toBe("kept");
	});
});

describe("the model catches an engine that", () => {
	const bugs: Record<string, readonly [Bug, RegExp]> = {
		"acknowledges on receipt": [{ ackOnReceipt: true }, /I2/],
		"acknowledges in the order of the app's answers": [{ completionOrder: true }, /I4/],
		"keeps its queue over a reconnect": [{ keepsQueue: true }, /I[2359]|I1/],
		"acknowledges a copy": [{ acksCopies: true }, /I[25]/],
		"drops every DUP that it knows": [{ dropsDup: true }, /I[125]/],
		"trusts every session that is present": [{ trustsSession: true }, /deaf/],
		"acknowledges an identifier that went to another message": [{ ignoresReuse: true }, /I[1249]/],
		"forgets what the app refused": [{ forgetsRefused: true }, /I9/],
	};
	for (const [name, [bug, reason]] of Object.entries(bugs)) {
		it(name, () => {
			expect(outcome(() => new PlainEngine(bug), "dup", 3_000, reason)).toMatch(reason);
		});
	}
});
