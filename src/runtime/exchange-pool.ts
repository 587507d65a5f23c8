import type { Verdict } from "../bindings/binding.js";
import { AppError } from "../errors.js";
import type { AppVerdict } from "./app-channel.js";
import type { AppPort } from "./app-port.js";
import type { Exchange, ExchangeCarrier, ExchangeListener, Failure } from "./exchange.js";
import { ExchangeQueue } from "./exchange-queue.js";

export interface ExchangePoolOptions<E extends Exchange> {
	/** How many exchanges may be under way at once; more wait here. Absent, 0 or less: 1,024. */
	readonly maxConcurrency?: number | undefined;
	/** Makes one more carrier. */
	readonly open: (listener: ExchangeListener<E>) => ExchangeCarrier<E>;
	/** Looked at when a connection ended. */
	readonly port: AppPort;
	/** Names an exchange, for people: `POST /orders`. */
	readonly describe: (exchange: E) => string;
}

const defaultMaxConcurrency = 1_024;

const NO_VERDICT: Verdict = Object.freeze({ kind: "none" });
const CRASHED: Verdict = Object.freeze({ kind: "none", crashed: true });
const UNREACHABLE: Verdict = Object.freeze({ kind: "unreachable" });

/** Hands exchanges to carriers, as many as there may be, and judges those that got no answer: docs/delivery.md, "When the app does not accept". */
export class ExchangePool<E extends Exchange> implements ExchangeListener<E> {
	readonly #options: ExchangePoolOptions<E>;
	readonly #maxConcurrency: number;
	readonly #carriers: ExchangeCarrier<E>[] = [];
	readonly #idle: ExchangeCarrier<E>[] = [];
	readonly #queue = new ExchangeQueue<E>();
	readonly #signals = new WeakSet<AbortSignal>();
	#closing: Promise<void> | undefined;

	constructor(options: ExchangePoolOptions<E>) {
		this.#options = options;
		const { maxConcurrency = 0 } = options;
		this.#maxConcurrency = maxConcurrency > 0 ? maxConcurrency : defaultMaxConcurrency;
	}

	/** Sends an exchange, at once or in its turn. It gets its verdict, whatever happens; none when its signal aborts or the pool closes. */
	send(exchange: E): void {
		if (this.#isOver(exchange)) {
			exchange.resolve(NO_VERDICT);
			return;
		}
		if (!this.#signals.has(exchange.signal)) this.#listenTo(exchange.signal);
		const carrier = this.#idle.pop() ?? this.#open();
		if (carrier === undefined) this.#queue.push(exchange);
		else carrier.run(exchange);
	}

	#open(): ExchangeCarrier<E> | undefined {
		if (this.#carriers.length >= this.#maxConcurrency) return undefined;
		const carrier = this.#options.open(this);
		this.#carriers.push(carrier);
		return carrier;
	}

	/** One listener per signal, not per event: a binding uses one signal for all its deliveries. */
	#listenTo(signal: AbortSignal): void {
		this.#signals.add(signal);
		const abort = () => {
			for (const exchange of this.#queue.remove(signal)) exchange.resolve(NO_VERDICT);
			for (const carrier of this.#carriers) {
				if (carrier.exchange?.signal !== signal) continue;
				carrier.exchange.resolve(NO_VERDICT);
				carrier.cancel();
			}
		};
		signal.addEventListener("abort", abort, { once: true });
	}

	answered(carrier: ExchangeCarrier<E>, exchange: E, verdict: AppVerdict): void {
		this.#release(carrier);
		exchange.resolve(verdict);
	}

	failed(carrier: ExchangeCarrier<E>, exchange: E, failure: Failure): void {
		void this.#judge(exchange, failure).then((judged) => {
			const verdict = this.#isOver(exchange) ? NO_VERDICT : judged;
			if (verdict === "again") {
				exchange.resent = true;
				carrier.run(exchange);
			} else {
				this.#release(carrier);
				exchange.resolve(verdict);
			}
		});
	}

	#isOver(exchange: E): boolean {
		return exchange.signal.aborted || this.#closing !== undefined;
	}

	async #judge(exchange: E, failure: Failure): Promise<Verdict | "again"> {
		const { port, describe } = this.#options;
		if (this.#isOver(exchange)) return NO_VERDICT;
		if (!failure.written && !failure.reused) return exchange.resent ? CRASHED : UNREACHABLE;
		if (failure.reused && !failure.answering && !exchange.resent) return (await port.isOpen()) ? "again" : CRASHED;
		if (!(await port.staysOpen())) return CRASHED;
		const what = failure.answering ? "broke off its answer" : "closed the connection without an answer";
		const message = `the app ${what} to ${describe(exchange)}: ${failure.error.message}`;
		return { kind: "failed", error: new AppError(message, { outcome: "failed", cause: failure.error }) };
	}

	#release(carrier: ExchangeCarrier<E>): void {
		const next = this.#queue.shift();
		if (next === undefined) this.#idle.push(carrier);
		else carrier.run(next);
	}

	/** What is under way and what waits ends without a verdict. Idempotent. */
	close(): Promise<void> {
		this.#closing ??= this.#end();
		return this.#closing;
	}

	async #end(): Promise<void> {
		for (const exchange of this.#queue.clear()) exchange.resolve(NO_VERDICT);
		for (const carrier of this.#carriers) carrier.exchange?.resolve(NO_VERDICT);
		await Promise.all(this.#carriers.map((carrier) => carrier.destroy()));
	}
}
