import { type BreakerSettings, CircuitBreaker } from "./circuit-breaker.js";
import { Policy } from "./policy.js";
import type { RetrySettings } from "./retry-delays.js";

/** The policies that a target names. */
export interface PolicyNames {
	readonly timeout?: string | undefined;
	readonly retry?: string | undefined;
	readonly circuitBreaker?: string | undefined;
}

export type Direction = "inbound" | "outbound";

/** What the Resiliency resources say, taken together. */
export interface ResiliencySettings {
	/** In milliseconds. */
	readonly timeouts: ReadonlyMap<string, number>;
	readonly retries: ReadonlyMap<string, RetrySettings>;
	readonly circuitBreakers: ReadonlyMap<string, BreakerSettings>;
	/** By component. */
	readonly components: ReadonlyMap<string, Readonly<Partial<Record<Direction, PolicyNames | undefined>>>>;
	/** The same for the same resources, and for no others. */
	readonly fingerprint: string;
}

/** No resource at all: nothing stands around any call. */
export const NO_RESILIENCY: ResiliencySettings = {
	timeouts: new Map(),
	retries: new Map(),
	circuitBreakers: new Map(),
	components: new Map(),
	fingerprint: "",
};

/** Which policies hold for which component. */
export class Resiliency {
	readonly #settings: ResiliencySettings;
	/** One for each component and name: both directions share it. */
	readonly #breakers = new Map<string, CircuitBreaker>();
	readonly #policies = new Map<string, Policy | undefined>();

	constructor(settings: ResiliencySettings) {
		this.#settings = settings;
	}

	/** The policies around the calls of one component; undefined: none. The same each time. */
	policyFor(component: string, direction: Direction): Policy | undefined {
		const key = `${direction} ${component}`;
		if (!this.#policies.has(key)) this.#policies.set(key, this.#make(component, direction));
		return this.#policies.get(key);
	}

	/** The breakers of this component that are in use. */
	breakersOf(component: string): readonly CircuitBreaker[] {
		const inUse = (["inbound", "outbound"] as const).map(
			(direction) => this.policyFor(component, direction)?.parts.breaker,
		);
		return [...new Set(inUse.filter((breaker) => breaker !== undefined))];
	}

	#make(component: string, direction: Direction): Policy | undefined {
		const { timeouts, retries, circuitBreakers } = this.#settings;
		const names = this.#namesFor(component, direction);
		const ms = names.timeout === undefined ? undefined : timeouts.get(names.timeout);
		const retry = names.retry === undefined ? undefined : retries.get(names.retry);
		const breaker = names.circuitBreaker === undefined ? undefined : circuitBreakers.get(names.circuitBreaker);
		const parts = {
			timeout: ms ? { name: names.timeout!, ms } : undefined,
			retry: retry?.maxRetries === 0 ? undefined : retry,
			breaker: breaker && this.#breaker(component, breaker),
		};
		return Object.values(parts).some((part) => part !== undefined) ? new Policy(parts) : undefined;
	}

	#namesFor(component: string, direction: Direction): PolicyNames {
		const { components, timeouts, retries, circuitBreakers } = this.#settings;
		const target = components.get(component);
		if (target !== undefined) return target[direction] ?? {};
		return {
			timeout: defaultNames(direction, "Timeout").find((name) => timeouts.has(name)),
			retry: defaultNames(direction, "Retry").find((name) => retries.has(name)),
			circuitBreaker: defaultNames(direction, "CircuitBreaker").find((name) => circuitBreakers.has(name)),
		};
	}

	#breaker(component: string, settings: BreakerSettings): CircuitBreaker {
		const key = `${component} ${settings.name}`;
		const breaker = this.#breakers.get(key) ?? new CircuitBreaker(settings);
		this.#breakers.set(key, breaker);
		return breaker;
	}
}

/** Policies that hold by their name where a component is no target, the most specific first. dapr: pkg/resiliency/resiliency.go */
export function defaultNames(direction: Direction, kind: "Timeout" | "Retry" | "CircuitBreaker"): readonly string[] {
	const way = direction === "inbound" ? "Inbound" : "Outbound";
	return [`BindingComponent${way}`, `Component${way}`, "Component", ""].map((scope) => `Default${scope}${kind}Policy`);
}
