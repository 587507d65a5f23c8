import { connectDevice, type MqttDevice } from "../../support/mqtt-device.js";
import type { PublishRecord } from "./histories.js";
import { historyTime } from "./wire-history.js";

/** Publishes that the broker may leave unanswered before the next one waits. */
const MAX_UNANSWERED = 500;

/** Publishes `m1`, `m2` … at QoS 1, through all outages of the broker, and keeps when each was sent and acknowledged. */
export class NumberedPublisher implements AsyncDisposable {
	readonly records: (PublishRecord & { acknowledgedAt?: number })[] = [];
	readonly #device: MqttDevice;
	readonly #topics: number;
	readonly #padding: string;
	#unanswered = 0;
	#timer: NodeJS.Timeout | undefined;

	/** Publishes to `in/0` … in turn; `paddingBytes` come behind each number. */
	static async connect(url: string, topics: number, paddingBytes: number): Promise<NumberedPublisher> {
		const device = await connectDevice(url, { clientId: "publisher", reconnectPeriod: 50, connectTimeout: 1_000 });
		return new NumberedPublisher(device, topics, paddingBytes);
	}

	constructor(device: MqttDevice, topics: number, paddingBytes: number) {
		this.#device = device;
		this.#topics = topics;
		this.#padding = paddingBytes > 0 ? ` ${"x".repeat(paddingBytes - 1)}` : "";
	}

	/** The next one; resolves when the broker has acknowledged it. */
	async publish(): Promise<PublishRecord> {
		const index = this.records.length;
		const record: (typeof this.records)[number] = {
			id: `m${index + 1}`,
			topic: `in/${index % this.#topics}`,
			at: historyTime(),
		};
		this.records.push(record);
		this.#unanswered++;
		await this.#device.publish(record.topic, record.id + this.#padding);
		this.#unanswered--;
		record.acknowledgedAt = historyTime();
		return record;
	}

	/** So many now. */
	burst(count: number): void {
		// What has no answer when the run ends is no loss of ours.
		for (let sent = 0; sent < count; sent++) this.publish().catch(() => {});
	}

	/** So many a second until pause(). */
	start(perSecond: number): void {
		const everyMs = 20;
		let due = 0;
		this.pause();
		this.#timer = setInterval(() => {
			due = Math.min(due + (perSecond * everyMs) / 1_000, perSecond);
			const count = Math.max(0, Math.min(Math.floor(due), MAX_UNANSWERED - this.#unanswered));
			due -= count;
			this.burst(count);
		}, everyMs);
	}

	pause(): void {
		clearInterval(this.#timer);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.pause();
		await this.#device[Symbol.asyncDispose]();
	}
}
