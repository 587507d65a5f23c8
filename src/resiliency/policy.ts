import { setTimeout as sleep } from "node:timers/promises";
import type { CircuitBreaker } from "./circuit-breaker.js";
import { type RetrySettings, retryDelays } from "./retry-delays.js";

/** What stands around one call. */
export interface PolicyParts {
	readonly timeout: { readonly name: string; readonly ms: number } | undefined;
	readonly retry: RetrySettings | undefined;
	readonly breaker: CircuitBreaker | undefined;
}

/** How a policy deals with calls whose results it does not know. */
export interface PolicyCall<Result> {
	/** One attempt, which the policy's timeout bounds. Must not reject. */
	attempt(timeout: PolicyParts["timeout"]): Promise<Result>;
	/** What it says of the thing that was called: undefined for neither success nor failure. */
	judge(result: Result): boolean | undefined;
	/** Whether another attempt may be made after this result. */
	mayRetry(result: Result, retry: RetrySettings): boolean;
	/** The result where an open breaker lets nothing through. */
	refused(breaker: CircuitBreaker): Result;
}

/** Dapr's nesting: retry( breaker( timeout( call ))). dapr: pkg/resiliency/policy.go */
export class Policy {
	readonly parts: PolicyParts;

	constructor(parts: PolicyParts) {
		this.parts = parts;
	}

	/**
	 * Makes the call, again and again where it is to be retried. Resolves with the result of the last attempt; when `ending` aborts between two
	 * attempts, at once. Never rejects unless the call does.
	 */
	async run<Result>(call: PolicyCall<Result>, ending: AbortSignal): Promise<Result> {
		let result = await this.#once(call);
		const { retry, breaker } = this.parts;
		if (retry === undefined) return result;
		for (const delayMs of retryDelays(retry)) {
			if (!call.mayRetry(result, retry) || breaker?.state === "open" || ending.aborted) break;
			await sleep(delayMs, undefined, { signal: ending }).catch(() => {});
			if (ending.aborted) break;
			result = await this.#once(call);
		}
		return result;
	}

	async #once<Result>(call: PolicyCall<Result>): Promise<Result> {
		const { timeout, breaker } = this.parts;
		if (breaker === undefined) return await call.attempt(timeout);
		const leave = breaker.enter();
		if (leave === undefined) return call.refused(breaker);
		const result = await call.attempt(timeout);
		leave(call.judge(result));
		return result;
	}
}
