import type { RuntimeHealth } from "../runtime/runtime.js";

/** What `GET /v1.0/healthz/ready` shows. */
export interface ReadyDocument {
	readonly status: "ready" | "not ready";
	/** Blocking ones first. */
	readonly reasons: readonly ReadyReason[];
}

/** One reason; only its code where the caller may not see more. */
export interface ReadyReason {
	readonly code: string;
	readonly component?: string;
	readonly message?: string;
	/** False: worth knowing, but no hindrance. */
	readonly blocking?: boolean;
}

/** Renders the runtime's health. `detail` false: each code once, without component, topic or address. */
export function renderReady(
	health: RuntimeHealth,
	{ detail }: { readonly detail: boolean },
): { readonly ready: boolean; readonly document: ReadyDocument } {
	const status = health.ready ? "ready" : "not ready";
	const sorted = health.reasons.toSorted((a, b) => Number(b.blocking) - Number(a.blocking));
	const reasons = detail
		? sorted.map(({ code, component, message, blocking }) => ({
				code,
				...(component !== undefined && { component }),
				message,
				blocking,
			}))
		: [...new Set(sorted.map(({ code }) => code))].map((code) => ({ code }));
	return { ready: health.ready, document: { status, reasons } };
}
