import type { Cancellation, InvokeRequest, InvokeResponse } from "../bindings/binding.js";
import { PublishError } from "../errors.js";
import type { CircuitBreaker } from "../resiliency/circuit-breaker.js";
import type { Policy, PolicyParts } from "../resiliency/policy.js";
import { isInRanges, type RetrySettings } from "../resiliency/retry-delays.js";
import { grpcCodeNumber } from "./grpc-code-number.js";

export interface GuardedInvoke {
	readonly policy: Policy;
	readonly request: InvokeRequest;
	/** The caller's. */
	readonly signal: Cancellation | undefined;
	/** Aborts when nothing is to be tried again. */
	readonly ending: AbortSignal;
	/** Invokes once. */
	readonly invoke: (request: InvokeRequest) => Promise<InvokeResponse | undefined>;
}

type Result = { readonly response: InvokeResponse | undefined } | { readonly error: unknown };

/** What the statuses of a publish that failed are called in `matching.gRPCStatusCodes`: those of the gRPC API. */
const NOT_SENT = grpcCodeNumber("UNAVAILABLE")!;
const UNKNOWN = grpcCodeNumber("DEADLINE_EXCEEDED")!;

/**
 * One call inside its outbound policies. Only what was not sent is tried again: of what left us the broker may have a copy; that is repeated only
 * where the retry's `matching.gRPCStatusCodes` names 4 (DEADLINE_EXCEEDED). Settles as the last attempt does.
 */
export async function guardedInvoke({
	policy,
	request,
	signal,
	ending,
	invoke,
}: GuardedInvoke): Promise<InvokeResponse | undefined> {
	const startedAt = performance.now();
	const leaving = new AbortController();
	const leave = () => leaving.abort();
	signal?.addEventListener("abort", leave, { once: true });
	try {
		const result = await policy.run<Result>(
			{
				attempt: async (timeout) => {
					const timeoutMs = leftMs(request, startedAt, timeout);
					try {
						return { response: await invoke(timeoutMs === undefined ? request : { ...request, timeoutMs }) };
					} catch (error) {
						return { error };
					}
				},
				judge: (outcome) => {
					if ("response" in outcome) return true;
					return outcome.error instanceof PublishError ? false : undefined;
				},
				mayRetry: (outcome, retry) =>
					!signal?.aborted && isRepeatable(outcome, retry) && leftMs(request, startedAt, undefined) !== 0,
				refused: (breaker) => ({ error: openError(breaker) }),
			},
			AbortSignal.any([ending, leaving.signal]),
		);
		if ("error" in result) throw result.error;
		return result.response;
	} finally {
		signal?.removeEventListener("abort", leave);
	}
}

/** What is left of the caller's own deadline, and of the policy's timeout for one attempt. */
function leftMs({ timeoutMs }: InvokeRequest, startedAt: number, timeout: PolicyParts["timeout"]): number | undefined {
	const left = timeoutMs === undefined ? undefined : Math.max(0, timeoutMs - (performance.now() - startedAt));
	if (timeout === undefined) return left;
	return left === undefined ? timeout.ms : Math.min(left, timeout.ms);
}

function isRepeatable(outcome: Result, { grpcStatusCodes }: RetrySettings): boolean {
	if ("response" in outcome || !(outcome.error instanceof PublishError)) return false;
	const isUnsent = outcome.error.outcome === "not-sent";
	if (grpcStatusCodes === undefined) return isUnsent;
	return isInRanges(grpcStatusCodes, isUnsent ? NOT_SENT : UNKNOWN);
}

function openError(breaker: CircuitBreaker): PublishError {
	const { name } = breaker.settings;
	const words = breaker.state === "half-open" ? "lets only a few calls through" : "is open";
	return new PublishError(`circuit breaker ${JSON.stringify(name)} ${words}, as calls before failed`, {
		outcome: "not-sent",
	});
}
