import { expect } from "vitest";
import type { Mosquitto } from "../../support/mosquitto.js";
import { connectDevice, type MqttDevice } from "../../support/mqtt-device.js";
import type { SidecarProcess } from "../../support/sidecar-process.js";
import { texts } from "./line.js";

/** A `create` that did not succeed. */
export interface CreateFailure {
	readonly payload: string;
	readonly status: number;
	readonly message: string;
}

/** Calls `create` again and again, each time with another number, and keeps what it was told. */
export class Creator {
	/** Payloads whose `create` succeeded. */
	readonly succeeded: string[] = [];
	readonly failures: CreateFailure[] = [];
	/** Payloads whose call got no answer at all, and how it ended. */
	readonly unanswered: { readonly payload: string; readonly error: string }[] = [];
	readonly #sidecar: SidecarProcess;
	readonly #binding: string;
	readonly #topic: string;
	#next = 0;
	#stopped = false;
	#lanes: Promise<void>[] = [];

	constructor(sidecar: SidecarProcess, binding: string, topic: string) {
		this.#sidecar = sidecar;
		this.#binding = binding;
		this.#topic = topic;
	}

	/** Keeps `lanes` calls going until stop(). */
	start(lanes: number): void {
		this.#lanes = Array.from({ length: lanes }, () => this.#run());
	}

	/** Resolves when the last call is answered. */
	async stop(): Promise<void> {
		this.#stopped = true;
		await Promise.all(this.#lanes);
	}

	/**
	 * Compares what was told with what reached `observer`, which has read the topic from the start: every success has arrived, and nothing
	 * that was *not sent*.
	 */
	async checkAgainst(observer: MqttDevice, broker: Mosquitto): Promise<void> {
		// What is behind this one has arrived when it does.
		await using last = await connectDevice(broker.url);
		await last.publish(this.#topic, "last");
		await expect.poll(() => texts(observer.messages).includes("last"), { timeout: 10_000 }).toBe(true);
		const arrived = new Set(texts(observer.messages));
		expect(
			this.succeeded.filter((payload) => !arrived.has(payload)),
			"succeeded and never arrived",
		).toEqual([]);
		for (const { payload, message } of this.failures) {
			expect(message).toMatch(/^error invoking output binding \w+: (not sent|outcome unknown): /);
			if (message.includes(": not sent: ")) expect(arrived.has(payload), `${payload} arrived: ${message}`).toBe(false);
		}
	}

	async #run(): Promise<void> {
		while (!this.#stopped) {
			const payload = String(this.#next++);
			const body = { operation: "create", data: Number(payload), metadata: { topic: this.#topic } };
			try {
				const answer = await this.#sidecar.create(this.#binding, body);
				if (answer.status === 204) {
					this.succeeded.push(payload);
				} else {
					const { message } = (await answer.json()) as { message: string };
					this.failures.push({ payload, status: answer.status, message });
				}
			} catch (error) {
				this.unanswered.push({ payload, error: String((error as Error).cause ?? error) });
				return;
			}
		}
	}
}
