import type { ReadResponse, Report, Verdict } from "../../src/bindings/binding.js";
import { Mqtt3Input } from "../../src/bindings/mqtt3-input.js";
import { type Mqtt3Options, resolveOptions } from "../../src/bindings/mqtt3-options.js";
import { Inbound } from "../../src/mqtt/inbound.js";
import type { ApplicationMessage, PublishPacket } from "../../src/mqtt/packet.js";
import { received } from "./session-parts.js";

/** One call of the app: what it got, and the means to answer. */
export interface AppCall {
	readonly text: string;
	readonly event: ReadResponse;
	readonly signal: AbortSignal;
	/** Resolves once what follows from the answer was done. */
	answer(verdict: Verdict): Promise<void>;
	reject(error: unknown): Promise<void>;
}

/** A dead letter on its way, and the means to say what became of it. */
export interface DeadLetter {
	readonly message: ApplicationMessage;
	acknowledge(): Promise<void>;
	fail(error: Error): Promise<void>;
}

export const FAILED: Verdict = { kind: "failed", error: new Error("status 500"), status: 500 };
export const UNREACHABLE: Verdict = { kind: "unreachable" };
export const NO_VERDICT: Verdict = { kind: "none" };
export const CRASHED: Verdict = { kind: "none", crashed: true };

/** An input between the receiving half of a real session and an app that answers when the test says so. No sockets. */
export class InputUnderTest {
	readonly input: Mqtt3Input;
	readonly inbound: Inbound;
	readonly reports: Report[] = [];
	/** Dead letters so far. */
	readonly published: DeadLetter[] = [];
	/** All calls so far. */
	readonly calls: AppCall[] = [];
	/** What the app answers at once; undefined: it waits for the test. */
	atOnce: ((text: string) => Verdict | undefined) | undefined;

	/** The filter is `t` unless the options say otherwise. */
	constructor(options: Partial<Mqtt3Options> = {}) {
		const settings = resolveOptions({ url: "mqtt://localhost", topic: "t", clientId: "test", ...options });
		this.input = new Mqtt3Input({
			component: "test",
			settings,
			report: (report) => this.reports.push(report),
			publish: (message) =>
				new Promise((resolve, reject) => {
					this.published.push({
						message,
						acknowledge: () => nextTurn(resolve),
						fail: (error) => nextTurn(() => reject(error)),
					});
				}),
		});
		const { ackOrder, maxBuffered, maxPayloadSize } = settings;
		this.inbound = new Inbound(
			{ strict: ackOrder === "strict", maxBuffered, maxPayloadSize, delivers: true },
			this.input,
		);
		this.inbound.connected(false);
	}

	/** The app begins to read. */
	read(): this {
		this.input.read((event, signal) => {
			const text = Buffer.from(event.data).toString();
			const verdict = this.atOnce?.(text);
			if (verdict !== undefined) return verdict;
			return new Promise<Verdict>((resolve, reject) => {
				this.calls.push({
					text,
					event,
					signal,
					answer: (answer) => nextTurn(() => resolve(answer)),
					reject: (error) => nextTurn(() => reject(error)),
				});
			});
		});
		return this;
	}

	/** The broker sends messages, with identifiers from `firstId` on. */
	deliver(texts: string, firstId = 1, fields: Partial<PublishPacket> = {}): void {
		for (const [index, text] of [...texts].entries()) {
			this.receive(received(text, { packetId: fields.qos === 0 ? 0 : firstId + index, ...fields }));
		}
	}

	receive(packet: PublishPacket): void {
		const isAdmitted = this.inbound.admit(packet);
		this.inbound.receive(isAdmitted ? packet : { ...packet, payload: Buffer.alloc(0), skipped: true });
	}

	/** The connection ends, and the next one is accepted. */
	reconnect({ resumed = true, stable = false } = {}): void {
		this.inbound.disconnected(stable);
		this.inbound.connected(resumed);
	}

	/** What the app was called with, in order. */
	get texts(): string {
		return this.calls.map(({ text }) => text).join("");
	}

	/** The latest call with that message. */
	call(text: string): AppCall {
		const call = this.calls.findLast((one) => one.text === text);
		if (call === undefined) throw new Error(`the app was not called with ${text}`);
		return call;
	}

	/** Identifiers whose acknowledgements leave now, in order. */
	acks(): readonly number[] {
		const acks: number[] = [];
		this.inbound.takeAcks((_type, packetId) => acks.push(packetId));
		return acks;
	}

	/** Messages that were given up, for whatever reason. */
	get dropped(): number {
		return Object.values(this.input.refused.dropped).reduce((sum, count) => sum + count, 0);
	}

	/** The codes of what was reported. */
	get codes(): readonly string[] {
		return this.reports.map(({ code }) => code);
	}
}

/** Does something, and lets what promises set off then happen; fake timers do not hold it up. */
async function nextTurn(act: () => void): Promise<void> {
	act();
	for (let turn = 0; turn < 5; turn++) await Promise.resolve();
}
