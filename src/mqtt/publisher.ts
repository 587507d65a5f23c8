import { MqttProtocolError, PublishError } from "../errors.js";
import type { PublishOptions } from "./client-options.js";
import type { Outbound, OutboundPublish } from "./outbound.js";
import type { ApplicationMessage } from "./packet.js";
import { PublishDeadlines } from "./publish-deadlines.js";
import { checkTopicName } from "./topic.js";

/** What a Publisher needs of its owner. */
export interface PublisherOptions {
	/** The deadline of a publish that names none, in milliseconds. */
	readonly timeoutMs: number;
	/** A publish stands in line. */
	readonly onEnqueued: () => void;
	/** Why nothing is connected; undefined while something is. */
	readonly offlineReason: () => string | undefined;
}

/** From the call to the promise of one publish: its place in line, its deadline, its cancellation. */
export class Publisher {
	readonly #outbound: Outbound;
	readonly #options: PublisherOptions;
	readonly #deadlines: PublishDeadlines;
	#isClosed = false;

	constructor(outbound: Outbound, options: PublisherOptions) {
		this.#outbound = outbound;
		this.#options = options;
		this.#deadlines = new PublishDeadlines(outbound, (publish) => this.#whyLate(publish));
	}

	/** Resolves when the handshake is complete, for QoS 0 when it was written; rejects with PublishError, or MqttProtocolError for a topic that is none. */
	publish(message: ApplicationMessage, { signal, timeoutMs }: PublishOptions): Promise<void> {
		const { topic, payload, qos, retain } = message;
		const problem = checkTopicName(topic);
		if (problem !== undefined) {
			return Promise.reject(
				new MqttProtocolError("MQTT-3.3.2-1", `topic ${JSON.stringify(topic.slice(0, 100))}: ${problem}`),
			);
		}
		if (this.#isClosed) return Promise.reject(new PublishError("the client is closed", { outcome: "not-sent" }));
		if (signal?.aborted) return Promise.reject(new PublishError("the call was cancelled", { outcome: "not-sent" }));
		return new Promise((resolve, reject) => {
			let abort: (() => void) | undefined;
			const publish: OutboundPublish = {
				topic,
				topicLength: Buffer.byteLength(topic),
				payload,
				qos,
				retain,
				deadline: performance.now() + (timeoutMs ?? this.#options.timeoutMs),
				settle: (error) => {
					if (abort !== undefined) signal?.removeEventListener("abort", abort);
					if (error === undefined) resolve();
					else reject(error);
				},
				packetId: 0,
				dup: false,
				written: false,
				settled: false,
				ends: 0,
				order: 0,
			};
			try {
				this.#outbound.enqueue(publish);
			} catch (error) {
				reject(error);
				return;
			}
			if (signal !== undefined) {
				abort = () => this.#outbound.abandon(publish, "the call was cancelled");
				signal.addEventListener("abort", abort, { once: true });
			}
			this.#deadlines.add(publish);
			this.#options.onEnqueued();
		});
	}

	/** Rejects what waits or is unanswered, and everything from now on. */
	close(): void {
		this.#isClosed = true;
		this.#deadlines.clear();
		this.#outbound.close("the client was closed");
	}

	#whyLate({ written }: OutboundPublish): string {
		const reason = this.#options.offlineReason();
		if (reason !== undefined) return reason;
		return written ? "the broker did not answer in time" : "the connection did not take it in time";
	}
}
