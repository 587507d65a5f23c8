import { PublishError } from "../errors.js";
import type { Delivery } from "../mqtt/delivery.js";
import type { ApplicationMessage } from "../mqtt/packet.js";
import type { DeadLetterSettings } from "./mqtt3-options.js";

/** What can't be published as it is would fail again: it is left alone for so long. */
const NOT_AGAIN_FOR_MS = 60 * 60 * 1_000;
const MAX_TOPIC_BYTES = 65_535;
const MAX_ERROR_LENGTH = 2_048;

export interface DeadLettersOptions {
	/** The component's name. */
	readonly component: string;
	readonly settings: DeadLetterSettings;
	/** A larger dead letter is not published. */
	readonly maxPayloadSize: number;
	/** Resolves when the broker has acknowledged. */
	readonly publish: (message: ApplicationMessage) => Promise<void>;
}

/** Publishes deliveries that the app refuses to the dead-letter topic. */
export class DeadLetters {
	readonly #options: DeadLettersOptions;
	/** Dead letters that would fail again: why, and until when nobody tries. */
	readonly #hopeless = new WeakMap<Delivery, { readonly reason: string; readonly until: number }>();
	#pending = 0;
	#trouble: string | undefined;

	constructor(options: DeadLettersOptions) {
		this.#options = options;
	}

	/** Those that are on their way to the broker. */
	get pending(): number {
		return this.#pending;
	}

	/** Why the latest one failed; undefined when it did not. */
	get trouble(): string | undefined {
		return this.#trouble;
	}

	/** Why no dead letter of it is published now, in words; undefined when one may be. */
	obstacle(delivery: Delivery): string | undefined {
		const { topic, format } = this.#options.settings;
		const from = delivery.packet.topic;
		if (from === topic || (format === "raw" && from.startsWith(`${topic}/`))) {
			return "it came on the dead-letter topic itself";
		}
		const hopeless = this.#hopeless.get(delivery);
		return hopeless !== undefined && performance.now() < hopeless.until ? hopeless.reason : undefined;
	}

	/** Resolves when the broker has the dead letter. Rejects when it has not, or may not have it. */
	async publish(delivery: Delivery, error: Error): Promise<void> {
		this.#pending++;
		try {
			await this.#options.publish(this.#message(delivery, error));
			this.#trouble = undefined;
		} catch (failure) {
			this.#trouble = failure instanceof Error ? failure.message : String(failure);
			if (failure instanceof TooLargeError || (failure instanceof PublishError && failure.suspect)) {
				this.#hopeless.set(delivery, { reason: this.#trouble, until: performance.now() + NOT_AGAIN_FOR_MS });
			}
			throw failure;
		} finally {
			this.#pending--;
		}
	}

	#message({ packet, attempts }: Delivery, error: Error): ApplicationMessage {
		const { settings, maxPayloadSize, component } = this.#options;
		const { topic, qos, retain, payload } = packet;
		if (settings.format === "raw") {
			const below = `${settings.topic}/${topic}`;
			checkSize("topic", Buffer.byteLength(below), MAX_TOPIC_BYTES);
			return { topic: below, payload, qos: 1, retain: false };
		}
		const report = JSON.stringify({
			topic,
			qos,
			retain,
			attempts,
			error: error.message.slice(0, MAX_ERROR_LENGTH),
			time: new Date().toISOString(),
			component,
			payload: "",
		});
		checkSize("payload", Buffer.byteLength(report) + 4 * Math.ceil(payload.length / 3), maxPayloadSize);
		const text = Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString("base64");
		// Behind the last quotation mark but one: JSON.stringify() need not look through megabytes of base64.
		return { topic: settings.topic, payload: Buffer.from(`${report.slice(0, -2)}${text}"}`), qos: 1, retain: false };
	}
}

/** It can't be published, now or ever. */
class TooLargeError extends Error {}

function checkSize(what: "payload" | "topic", bytes: number, atMost: number): void {
	if (bytes > atMost) throw new TooLargeError(`not sent: a ${what} of ${bytes} bytes (at most ${atMost})`);
}
