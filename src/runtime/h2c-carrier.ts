import { type ClientHttp2Stream, constants, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";
import type { ExchangeCarrier, ExchangeListener, Failure } from "./exchange.js";
import { type H2cSession, type H2cSessions, isUsable, type SessionTaker } from "./h2c-sessions.js";
import { type HttpExchange, httpVerdict } from "./http-exchange.js";
import { parseRetryAfter } from "./retry-after.js";

const { NGHTTP2_CANCEL, NGHTTP2_FLAG_END_STREAM, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = constants;

/** Has one request at a time on the HTTP/2 connection that all share. Its listeners are made once, not for every request. */
export class H2cCarrier implements ExchangeCarrier<HttpExchange>, SessionTaker {
	readonly #sessions: H2cSessions;
	readonly #listener: ExchangeListener<HttpExchange>;
	readonly #headers: RequestHeaders;
	#exchange: HttpExchange | undefined;
	#session: H2cSession | undefined;
	#stream: ClientHttp2Stream | undefined;
	#status = 0;
	#retryAfterMs: number | undefined;
	#answering = false;
	/** The response's end was seen, or as many bytes as it was to have. */
	#complete = false;
	/** What is left of the response's declared length. */
	#left = Number.NaN;
	#error: Error | undefined;

	constructor(sessions: H2cSessions, listener: ExchangeListener<HttpExchange>, headers: RequestHeaders) {
		this.#sessions = sessions;
		this.#listener = listener;
		this.#headers = headers;
	}

	get exchange(): HttpExchange | undefined {
		return this.#exchange;
	}

	run(exchange: HttpExchange): void {
		this.#exchange = exchange;
		this.#session = undefined;
		this.#stream = undefined;
		this.#status = 0;
		this.#retryAfterMs = undefined;
		this.#answering = false;
		this.#complete = false;
		this.#left = Number.NaN;
		this.#error = undefined;
		this.#sessions.take(this);
	}

	ready(session: H2cSession): void {
		const exchange = this.#exchange as HttpExchange;
		const headers = this.#headers.of(exchange);
		let stream: ClientHttp2Stream;
		try {
			stream = session.http2.request(headers, { endStream: exchange.body === null });
		} catch (error) {
			// The connection is ending and has not said so.
			this.#fail({ error: error as Error, written: false, answering: false, reused: true });
			return;
		}
		this.#session = session;
		this.#stream = stream;
		stream.on("headers", this.#onBegin);
		stream.on("response", this.#onResponse);
		stream.on("data", this.#onData);
		stream.on("error", this.#onError);
		stream.on("close", this.#onClose);
		if (exchange.body !== null) stream.end(exchange.body);
	}

	unavailable(error: Error): void {
		this.#fail({ error, written: false, answering: false, reused: false });
	}

	cancel(): void {
		if (this.#stream !== undefined) this.#stream.close(NGHTTP2_CANCEL);
		else if (this.#sessions.leave(this)) this.unavailable(new Error("given up"));
	}

	async destroy(): Promise<void> {
		this.#sessions.leave(this);
		this.#stream?.destroy();
	}

	readonly #onBegin = (): void => {
		this.#answering = true;
	};

	readonly #onResponse = (headers: IncomingHttpHeaders, flags: number): void => {
		this.#answering = true;
		if (this.#session !== undefined) this.#session.hasServed = true;
		const status = Number(headers[":status"]);
		this.#status = status;
		const retryAfter = headers["retry-after"];
		if (retryAfter !== undefined && (status === 429 || status === 503)) {
			this.#retryAfterMs = parseRetryAfter(retryAfter);
		}
		this.#complete = (flags & NGHTTP2_FLAG_END_STREAM) !== 0;
		const length = headers["content-length"];
		if (length !== undefined) this.#left = Number(length);
	};

	readonly #onData = (data: Buffer): void => {
		this.#left -= data.length;
	};

	readonly #onError = (error: Error): void => {
		this.#error = error;
	};

	readonly #onClose = (): void => {
		const { rstCode = NGHTTP2_NO_ERROR } = this.#stream as ClientHttp2Stream;
		// A stream that the app gave up without an error code ends like a whole one: only its length tells.
		const isWhole = this.#left === 0 || (Number.isNaN(this.#left) && rstCode === NGHTTP2_NO_ERROR);
		if (this.#status !== 0 && (this.#complete || isWhole)) this.#answer();
		else this.#break(rstCode);
	};

	#answer(): void {
		const exchange = this.#take();
		this.#listener.answered(this, exchange, httpVerdict(exchange, this.#status, this.#retryAfterMs));
	}

	#break(rstCode: number): void {
		const { http2, hasServed } = this.#session as H2cSession;
		const isRefused = rstCode === NGHTTP2_REFUSED_STREAM;
		const isLost = !isUsable(http2);
		const what = isLost ? "the connection ended" : `the stream ended with code ${rstCode}`;
		this.#fail({
			error: this.#error ?? new Error(what),
			written: true,
			answering: this.#answering,
			reused: isRefused || (isLost && hasServed),
		});
	}

	#fail(failure: Failure): void {
		const exchange = this.#take();
		// Not from inside run(): who called it is not ready for an end.
		queueMicrotask(() => this.#listener.failed(this, exchange, failure));
	}

	#take(): HttpExchange {
		const exchange = this.#exchange as HttpExchange;
		this.#exchange = undefined;
		this.#stream = undefined;
		return exchange;
	}
}

/** Makes the headers of requests in the form that Node's HTTP/2 takes. */
export class RequestHeaders {
	readonly #authority: string;
	/** By the list that they are made from, which is the same for every event of one topic. */
	readonly #cache = new WeakMap<readonly string[], OutgoingHttpHeaders>();

	/** `authority` as `127.0.0.1:3000`. */
	constructor(authority: string) {
		this.#authority = authority;
	}

	/** Must not be changed. */
	of({ method, path, headers, body }: HttpExchange): OutgoingHttpHeaders {
		const made = this.#cache.get(headers);
		const length = body === null ? 0 : body.length;
		if (made?.[":path"] === path && made[":method"] === method && made["content-length"] === length) return made;
		const all: OutgoingHttpHeaders = {
			":method": method,
			":path": path,
			":scheme": "http",
			":authority": this.#authority,
			"content-length": length,
		};
		for (let index = 0; index + 1 < headers.length; index += 2) all[headers[index] as string] = headers[index + 1];
		this.#cache.set(headers, all);
		return all;
	}
}
