import type { BreakerCounts } from "./circuit-breaker.js";

/** What a trip expression may name. dapr: pkg/resiliency/breaker/circuitbreaker.go */
export const TRIP_VARIABLES = [
	"requests",
	"totalSuccesses",
	"totalFailures",
	"consecutiveSuccesses",
	"consecutiveFailures",
] as const satisfies readonly (keyof BreakerCounts)[];

/** Dapr's own: the sixth failure in a row. */
export function defaultTrip({ consecutiveFailures }: BreakerCounts): boolean {
	return consecutiveFailures > 5;
}

/**
 * Reads a condition in CEL over the counts of a breaker, as `consecutiveFailures > 5`. Rejects with an Error whose message says in one line what is wrong
 * with it. A condition that can't be computed, as one that divides by zero, is not met.
 */
export async function readTrip(text: string): Promise<(counts: BreakerCounts) => boolean> {
	const { Environment } = await import("@marcbachmann/cel-js");
	const environment = new Environment();
	for (const name of TRIP_VARIABLES) environment.registerVariable(name, "int");
	let evaluate: ReturnType<typeof environment.parse>;
	try {
		evaluate = environment.parse(text);
	} catch (error) {
		throw new Error(firstLine(error));
	}
	const { valid, type, error } = evaluate.check();
	if (!valid) throw new Error(firstLine(error));
	if (type !== "bool") throw new Error(`its result is ${type}, expected a condition`);
	return (counts) => {
		const context = Object.fromEntries(TRIP_VARIABLES.map((name) => [name, BigInt(counts[name])]));
		try {
			return evaluate(context) === true;
		} catch {
			return false;
		}
	};
}

function firstLine(error: unknown): string {
	return (error instanceof Error ? error.message : String(error)).split("\n", 1)[0]!;
}
