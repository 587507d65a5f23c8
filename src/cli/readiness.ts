import type { Readiness } from "../api/sidecar.js";
import type { RuntimeHealth } from "../runtime/runtime.js";

/** The answer to `GET /v1.0/healthz/ready`. `detail` false: codes alone, as messages may name topics and URLs. */
export function renderReadiness(health: RuntimeHealth, detail: boolean): Readiness {
	const reasons = health.reasons.map(({ component, code, message, blocking }) =>
		detail ? { component, code, blocking, message } : { code, blocking },
	);
	return { ready: health.ready, document: { status: health.ready ? "ready" : "not ready", reasons } };
}
