import { get, type IncomingMessage } from "node:http";
import { get as getSecure } from "node:https";

/** Asks an app whether it is well. */
export interface AppHealth {
	/** Why the latest probe failed; undefined when it did not. */
	readonly lastError: string | undefined;
	/** True when the app said in time that it is well. Never rejects. */
	ask(signal: AbortSignal): Promise<boolean>;
}

/**
 * Asks an app over HTTP whether it is well. Each probe has a connection of its own: no delivery stands before it, it counts for no limit
 * on requests, and it finds out whether the app still takes connections.
 */
export class HealthProbe implements AppHealth {
	readonly #url: URL;
	readonly #timeoutMs: number;
	#lastError: string | undefined;

	/** `origin` as `http://127.0.0.1:3000`; the path may hold a query, a leading slash is added. Certificates are not verified. */
	constructor(origin: string, path: string, timeoutMs: number) {
		this.#url = new URL(`${origin}${path.startsWith("/") ? "" : "/"}${path}`);
		this.#timeoutMs = timeoutMs;
	}

	/** Why the latest probe failed; undefined when it did not. Without the query, which may hold a secret. */
	get lastError(): string | undefined {
		return this.#lastError;
	}

	/** True when a complete answer with a 2xx status came in time. Never rejects. */
	async ask(signal: AbortSignal): Promise<boolean> {
		const failure = await this.#failure(signal);
		this.#lastError = failure === undefined ? undefined : `GET ${this.#url.pathname} ${failure}`;
		return failure === undefined;
	}

	#failure(signal: AbortSignal): Promise<string | undefined> {
		return new Promise((resolve) => {
			const isSecure = this.#url.protocol === "https:";
			const request = (isSecure ? getSecure : get)(this.#url, { agent: false, rejectUnauthorized: false, signal });
			const late = new Error(`no answer within ${this.#timeoutMs} ms`);
			const timer = setTimeout(() => request.destroy(late), this.#timeoutMs);
			let response: IncomingMessage | undefined;
			let error = new Error("no answer");
			const fail = (cause: Error) => {
				error = cause;
			};
			request.on("error", fail);
			request.on("response", (answer) => {
				response = answer.on("error", fail).resume();
			});
			request.on("close", () => {
				clearTimeout(timer);
				const { complete = false, statusCode = 0 } = response ?? {};
				if (!complete) resolve(`failed: ${error.message}`);
				else resolve(statusCode >= 200 && statusCode < 300 ? undefined : `answered ${statusCode}`);
			});
		});
	}
}
