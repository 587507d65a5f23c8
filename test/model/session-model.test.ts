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

function run(make: () => Engine, style: ResendStyle, numRuns: number): fc.RunDetails<unknown> {
	return fc.check(
		fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
			const model = new BrokerModel(style);
			const engine = make();
			model.connect(engine, false);
			for (const [, act] of steps) act(model, engine);
			model.heal(engine);
		}),
		{ numRuns },
	);
}

function failureOf(details: fc.RunDetails<unknown>): string {
	const steps = (details.counterexample as [[string, Step][]] | null)?.[0].map(([name]) => name) ?? [];
	const reason = details.errorInstance instanceof Error ? details.errorInstance.message : "";
	return `${reason} after: ${steps.join(", ")} (seed ${details.seed})`;
}

describe("the session against a model of broker, wire and app", () => {
	for (const style of ["dup", "no-dup", "renumber"] as const) {
		it(`keeps I1 to I5, I9 and I13 with a broker that resends in the style "${style}"`, () => {
			const details = run(() => new RealEngine(), style, 1_500);
			expect(details.failed ? failureOf(details) : "kept").toBe("kept");
		});
	}

	it("is not fooled by the checks: a plain engine without adoption passes them as well", () => {
		const details = run(() => new PlainEngine(), "dup", 500);
		expect(details.failed ? failureOf(details) : "kept").toBe("kept");
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
			const details = run(() => new PlainEngine(bug), "dup", 3_000);
			expect(details.failed).toBe(true);
			expect(failureOf(details)).toMatch(reason);
		});
	}
});
