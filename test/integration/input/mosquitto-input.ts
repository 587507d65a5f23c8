import type { ReadHandler, Report } from "../../../src/bindings/binding.js";
import { Mqtt3Binding } from "../../../src/bindings/mqtt3-binding.js";
import { type Mqtt3Options, resolveOptions } from "../../../src/bindings/mqtt3-options.js";
import { MqttConnectionError } from "../../../src/errors.js";
import { type Connection, dial } from "../../../src/mqtt/connection.js";
import { eventually } from "../../support/eventually.js";
import { type Mosquitto, type MosquittoOptions, startMosquitto } from "../../support/mosquitto.js";
import { connectDevice, type MqttDevice } from "../../support/mqtt-device.js";

/** An input on mosquitto, with a device that publishes. Disposing ends all. */
export class MosquittoInput implements AsyncDisposable {
	readonly mosquitto: Mosquitto;
	readonly device: MqttDevice;
	readonly #options: Partial<Mqtt3Options>;
	#binding: Mqtt3Binding | undefined;
	#connection: Connection | undefined;
	#reports: Report[] = [];

	private constructor(mosquitto: Mosquitto, device: MqttDevice, options: Partial<Mqtt3Options>) {
		this.mosquitto = mosquitto;
		this.device = device;
		this.#options = options;
	}

	/** The filter is `t/#`. Nothing reads yet. */
	static async open(options: Partial<Mqtt3Options> = {}, broker: MosquittoOptions = {}): Promise<MosquittoInput> {
		const mosquitto = await startMosquitto(broker);
		try {
			return new MosquittoInput(mosquitto, await connectDevice(mosquitto.url), options);
		} catch (error) {
			await mosquitto[Symbol.asyncDispose]();
			throw error;
		}
	}

	get binding(): Mqtt3Binding {
		if (this.#binding === undefined) throw new Error("nothing reads yet");
		return this.#binding;
	}

	/** What the binding that reads now has reported. */
	get reports(): readonly Report[] {
		return this.#reports;
	}

	/** How often that was reported. */
	count(code: string): number {
		return this.#reports.filter((report) => report.code === code).length;
	}

	/** A binding of the same client identifier begins to read; resolves when it is subscribed. */
	async read(handler: ReadHandler): Promise<void> {
		const binding = new Mqtt3Binding({
			dial: async (...args) => {
				this.#connection = await dial(...args);
				return this.#connection;
			},
		});
		const { url } = this.mosquitto;
		binding.configure("input", resolveOptions({ topic: "t/#", ...this.#options, url, clientId: "input" }));
		const reports: Report[] = [];
		this.#reports = reports;
		this.#binding = binding;
		binding.onReport((report) => reports.push(report));
		await binding.read(handler);
		await eventually(() => {
			if (!reports.some(({ code }) => code === "subscribed")) throw new Error("not subscribed");
		});
	}

	/** Stops in order. Resolves false when handlers were left running. */
	async stop(graceMs: number): Promise<boolean> {
		const isDrained = await this.binding.drain(AbortSignal.timeout(graceMs));
		await this.binding.close();
		return isDrained;
	}

	/** The connection is gone, without a word to the broker; the binding connects again by itself. */
	cut(): void {
		const { url } = this.mosquitto;
		this.#connection?.destroy(new MqttConnectionError("cut by the test", { url, reason: "reset" }));
	}

	/** Publishes to `t/x`, one after the other. */
	async send(...texts: readonly string[]): Promise<void> {
		await this.device.publishAll(texts.length, (index) => ({ topic: "t/x", payload: texts[index]! }));
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#binding?.close();
		await this.device[Symbol.asyncDispose]();
		await this.mosquitto[Symbol.asyncDispose]();
	}
}

/** `p0`, `p1`, …: so many of them. */
export function numbered(count: number, prefix: string): readonly string[] {
	return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

/** The payload as text. */
export function textOf({ data }: { readonly data: Uint8Array }): string {
	return Buffer.from(data).toString();
}
