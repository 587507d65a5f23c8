import type { MqttDevice } from "../../support/mqtt-device.js";

/** Publishes `0`, `1`, `2` … to a topic, one after another, until it is stopped. */
export class Load {
	readonly #done: Promise<void>;
	#published = 0;
	#stopped = false;

	/** `everyMs`: time between an acknowledgement and the next message. */
	constructor(device: MqttDevice, { topic = "in/a", everyMs = 10 }: { topic?: string; everyMs?: number } = {}) {
		this.#done = (async () => {
			while (!this.#stopped) {
				await device.publish(topic, String(this.#published));
				this.#published++;
				await new Promise((resolve) => setTimeout(resolve, everyMs));
			}
		})();
		// A device whose test has failed is gone; stop() tells of any other end.
		this.#done.catch(() => {});
	}

	/** Resolves with how many were acknowledged; rejects when the device lost its connection. */
	async stop(): Promise<number> {
		this.#stopped = true;
		await this.#done;
		return this.#published;
	}
}
