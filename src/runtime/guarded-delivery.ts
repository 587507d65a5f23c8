import type { ReadResponse, Verdict } from "../bindings/binding.js";
import { formatDuration } from "../bindings/duration.js";
import type { CircuitBreaker } from "../resiliency/circuit-breaker.js";
import type { Policy, PolicyParts } from "../resiliency/policy.js";
import { isInRanges, type RetrySettings } from "../resiliency/retry-delays.js";
import { grpcCodeNumber } from "./grpc-code-number.js";

export interface GuardedDelivery {
	readonly policy: Policy;
	readonly event: ReadResponse;
	/** Hands the event over once. */
	readonly deliver: (event: ReadResponse, signal: AbortSignal) => Promise<Verdict>;
	/** Aborts when the binding stops waiting. */
	readonly signal: AbortSignal;
	/** Aborts when nothing is to be tried again. */
	readonly ending: AbortSignal;
	/** The breaker let nothing through. */
	readonly onHeldBack: (breaker: CircuitBreaker) => void;
}

/**
 * One delivery inside its inbound policies: an attempt of the binding, however often the policy tries. What an open breaker holds back was
 * no attempt: it stays in line, and nothing is acknowledged.
 */
export function guardedDelivery(delivery: GuardedDelivery): Promise<Verdict> {
	const { policy, ending, onHeldBack } = delivery;
	return policy.run<Verdict>(
		{
			attempt: (timeout) => attempt(delivery, timeout),
			judge: (verdict) => {
				if (verdict.kind === "accepted") return true;
				const isFault = verdict.kind === "failed" || (verdict.kind === "none" && verdict.crashed === true);
				return isFault ? false : undefined;
			},
			mayRetry: (verdict, retry) => verdict.kind === "failed" && matches(verdict.status, retry),
			refused: (breaker) => {
				onHeldBack(breaker);
				return { kind: "unreachable" };
			},
		},
		ending,
	);
}

async function attempt({ deliver, event, signal }: GuardedDelivery, timeout: PolicyParts["timeout"]): Promise<Verdict> {
	if (timeout === undefined) return await deliver(event, signal);
	const late = new AbortController();
	const timer = setTimeout(() => late.abort(), timeout.ms);
	try {
		const verdict = await deliver(event, AbortSignal.any([signal, late.signal]));
		if (!late.signal.aborted || signal.aborted || verdict.kind === "accepted") return verdict;
		const message = `the app did not answer within ${formatDuration(timeout.ms)} (timeout ${JSON.stringify(timeout.name)})`;
		return { kind: "failed", error: new Error(message) };
	} finally {
		clearTimeout(timer);
	}
}

/** As in Dapr a failure without a status is always retried. */
function matches(status: number | string | undefined, { httpStatusCodes, grpcStatusCodes }: RetrySettings): boolean {
	if (typeof status === "number") return httpStatusCodes === undefined || isInRanges(httpStatusCodes, status);
	const code = status === undefined ? undefined : grpcCodeNumber(status);
	return code === undefined || grpcStatusCodes === undefined || isInRanges(grpcStatusCodes, code);
}
