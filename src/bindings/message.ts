import type { QoS } from "../mqtt/packet.js";
import type { ReadResponse } from "./binding.js";

/** A message on its way to a function. */
export interface Message {
	readonly topic: string;
	/** The payload, byte for byte. Valid after the handler as well. */
	readonly data: Uint8Array;
	readonly qos: QoS;
	/** It was stored by the broker before we subscribed. */
	readonly retained: boolean;
	/** The broker marked it as sent before. */
	readonly duplicate: boolean;
	/** 1 the first time; counts attempts that failed. */
	readonly attempt: number;
	/** The payload as UTF-8 text. */
	text(): string;
	/** The payload as JSON. Throws SyntaxError when it is none. */
	json(): unknown;
}

/** A message and the right to say what becomes of it: the first of ack() and nack() counts. */
export interface MessageDelivery extends Message {
	/** Accept: the broker may forget it. */
	ack(): void;
	/** Decline: an attempt that failed; tried again, held or dropped as the options say. */
	nack(reason?: string | Error): void;
}

/** A message over the event that brought it: what nobody asks for is not made. */
export class ReceivedMessage implements Message {
	readonly #event: ReadResponse;

	constructor(event: ReadResponse) {
		this.#event = event;
	}

	get topic(): string {
		return this.#event.metadata.topic ?? "";
	}
	get data(): Uint8Array {
		return this.#event.data;
	}
	get qos(): QoS {
		return Number(this.#event.metadata.qos ?? 1) as QoS;
	}
	get retained(): boolean {
		return this.#event.metadata.retained === "true";
	}
	get duplicate(): boolean {
		return this.#event.metadata.duplicate === "true";
	}
	get attempt(): number {
		return Number(this.#event.metadata.attempt ?? 1);
	}
	text(): string {
		const { buffer, byteOffset, byteLength } = this.data;
		return Buffer.from(buffer, byteOffset, byteLength).toString("utf8");
	}
	json(): unknown {
		return JSON.parse(this.text());
	}
}
