import { type ClientHttp2Stream, connect } from "node:http2";
import type { AppHealth } from "./health-probe.js";

/** Asks an app over HTTP/2 whether it is well, each time on a connection of its own. */
export class H2cHealth implements AppHealth {
	readonly #origin: string;
	readonly #path: string;
	readonly #timeoutMs: number;
	#lastError: string | undefined;

	/** `origin` as `http://127.0.0.1:3000`; the path may hold a query, a leading slash is added. */
	constructor(origin: string, path: string, timeoutMs: number) {
		this.#origin = origin;
		const url = new URL(`${origin}${path.startsWith("/") ? "" : "/"}${path}`);
		this.#path = `${url.pathname}${url.search}`;
		this.#timeoutMs = timeoutMs;
	}

	/** Without the query, which may hold a secret. */
	get lastError(): string | undefined {
		return this.#lastError;
	}

	async ask(signal: AbortSignal): Promise<boolean> {
		const failure = signal.aborted ? "failed: given up" : await this.#failure(signal);
		this.#lastError = failure && `GET ${this.#path.replace(/\?.*/s, "")} ${failure}`;
		return failure === undefined;
	}

	async #failure(signal: AbortSignal): Promise<string | undefined> {
		const session = connect(this.#origin);
		let error = new Error("no answer");
		const end = (cause: Error) => {
			error = cause;
			session.destroy();
		};
		session.on("error", end);
		const abort = () => end(new Error("given up"));
		signal.addEventListener("abort", abort, { once: true });
		const timer = setTimeout(() => end(new Error(`no answer within ${this.#timeoutMs} ms`)), this.#timeoutMs);
		const stream = session.request({ ":method": "GET", ":path": this.#path });
		const status = await completeStatus(stream, (cause) => {
			if (!session.destroyed) error = cause;
		});
		clearTimeout(timer);
		signal.removeEventListener("abort", abort);
		session.destroy();
		if (status === undefined) return `failed: ${error.message}`;
		return status >= 200 && status < 300 ? undefined : `answered ${status}`;
	}
}

/** Resolves with the status when the stream has ended; undefined when it had no complete response. */
function completeStatus(stream: ClientHttp2Stream, onError: (error: Error) => void): Promise<number | undefined> {
	return new Promise((resolve) => {
		let status: number | undefined;
		let isEnded = false;
		stream.on("response", (headers) => {
			status = Number(headers[":status"]);
		});
		stream.on("end", () => {
			isEnded = true;
		});
		stream.on("error", onError);
		stream.on("close", () => resolve(isEnded && stream.rstCode === 0 ? status : undefined));
		stream.resume().end();
	});
}
