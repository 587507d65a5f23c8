import { ACCEPTED, type Verdict } from "../bindings/binding.js";
import { AppError } from "../errors.js";
import type { Exchange } from "./exchange.js";

/** One request to an app that speaks HTTP. */
export interface HttpExchange extends Exchange {
	readonly method: "POST" | "OPTIONS";
	readonly path: string;
	/** Names and values in turn. */
	readonly headers: readonly string[];
	readonly body: Uint8Array | null;
}

/** `POST /orders`. */
export function describeHttp({ method, path }: HttpExchange): string {
	return `${method} ${path}`;
}

/** What a complete response means. */
export function httpVerdict(exchange: HttpExchange, status: number, retryAfterMs: number | undefined): Verdict {
	if (status >= 200 && status < 300) return ACCEPTED;
	const error = new AppError(`the app answered ${status} to ${describeHttp(exchange)}`, {
		outcome: "failed",
		status,
		retryAfterMs,
	});
	return retryAfterMs === undefined
		? { kind: "failed", error, status }
		: { kind: "failed", error, status, retryAfterMs };
}
