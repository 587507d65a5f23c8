import { type StatusObject, status } from "@grpc/grpc-js";
import type { Verdict } from "../bindings/binding.js";
import { AppError } from "../errors.js";
import type { ExchangeCarrier, ExchangeListener, Failure } from "./exchange.js";
import { GrpcCall } from "./grpc-call.js";
import { type GrpcConnection, isLost, maxAnswerSize } from "./grpc-connection.js";
import { describeGrpc, type GrpcExchange } from "./grpc-exchange.js";
import {
	codeName,
	describeFailure,
	describeStatus,
	isFromApp,
	isRefused,
	isTooLarge,
	retryAfterMsOf,
} from "./grpc-failure.js";

/** Has one call at a time on the connection that all share. */
export class GrpcCarrier implements ExchangeCarrier<GrpcExchange> {
	readonly #connection: GrpcConnection;
	readonly #listener: ExchangeListener<GrpcExchange>;
	#exchange: GrpcExchange | undefined;
	#call: GrpcCall | undefined;

	constructor(connection: GrpcConnection, listener: ExchangeListener<GrpcExchange>) {
		this.#connection = connection;
		this.#listener = listener;
	}

	get exchange(): GrpcExchange | undefined {
		return this.#exchange;
	}

	run(exchange: GrpcExchange): void {
		this.#exchange = exchange;
		this.#call = new GrpcCall(this.#connection, exchange, this.#onEnd);
	}

	cancel(): void {
		this.#call?.cancel();
	}

	async destroy(): Promise<void> {
		this.cancel();
	}

	readonly #onEnd = (call: GrpcCall, ended: StatusObject): void => {
		const exchange = this.#exchange as GrpcExchange;
		this.#exchange = undefined;
		this.#call = undefined;
		if (ended.code === status.OK) {
			this.#listener.answered(this, exchange, exchange.onOk(call.answer));
		} else if (isFromApp(ended, call.isAnswering, isLost(call.channel))) {
			call.noteAnswer();
			this.#listener.answered(this, exchange, refusal(exchange, ended));
		} else if (call.isAnswering && isTooLarge(ended)) {
			this.#listener.answered(this, exchange, tooLarge(exchange));
		} else {
			if (!call.isStarted && ended.code === status.UNAVAILABLE) {
				this.#connection.failed(call.channel, describeFailure(ended));
			}
			this.#listener.failed(this, exchange, failureOf(call, ended));
		}
	};
}

function refusal(exchange: GrpcExchange, ended: StatusObject): Verdict {
	const retryAfterMs = retryAfterMsOf(ended);
	const message = `the app answered ${describeStatus(ended)} to ${describeGrpc(exchange)}`;
	const error = new AppError(message, { outcome: "failed", retryAfterMs });
	const verdict = { kind: "failed", error, status: codeName(ended) } as const;
	return retryAfterMs === undefined ? verdict : { ...verdict, retryAfterMs };
}

function tooLarge(exchange: GrpcExchange): Verdict {
	const message = `the app's answer to ${describeGrpc(exchange)} is larger than ${maxAnswerSize >> 20} MiB: whether it accepted is not known`;
	return { kind: "failed", error: new AppError(message, { outcome: "failed" }) };
}

function failureOf(call: GrpcCall, ended: StatusObject): Failure {
	const error = new Error(describeFailure(ended));
	if (!call.isStarted) {
		// Other than UNAVAILABLE: there was a connection, which ended before the call went out.
		return { error, written: false, answering: false, reused: ended.code !== status.UNAVAILABLE };
	}
	return {
		error,
		written: true,
		answering: call.isAnswering,
		reused: isRefused(ended) || (isLost(call.channel) && call.isReused),
	};
}
