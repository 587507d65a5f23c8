import type { Properties, ReadHandler, Report } from "../bindings/binding.js";
import { Mqtt3Binding } from "../bindings/mqtt3-binding.js";

/** Hears of what happens in the components. */
export type OnReport = (component: string, report: Report) => void;

/** One binding that was initialized with certain properties. It connects when it is first used, and after what it replaces has closed. */
export class HostedBinding {
	readonly binding: Mqtt3Binding;
	readonly properties: Properties;
	#after: Promise<unknown> = Promise.resolve();
	#isStarted = false;
	#isReading = false;
	#isClosed = false;

	private constructor(binding: Mqtt3Binding, properties: Properties) {
		this.binding = binding;
		this.properties = properties;
	}

	/** Checks the properties; connects to nothing. `replaced`: what it would take the place of. Rejects with ConfigurationErrors. */
	static async init(
		name: string,
		properties: Properties,
		onReport: OnReport,
		replaced: readonly HostedBinding[],
	): Promise<HostedBinding> {
		const binding = new Mqtt3Binding({ replaces: replaced.map(({ binding: before }) => before) });
		const warnings = await binding.init({ name, properties });
		for (const message of warnings) onReport(name, { level: "warn", code: "component-warning", message });
		binding.onReport((report) => onReport(name, report));
		return new HostedBinding(binding, properties);
	}

	get isClosed(): boolean {
		return this.#isClosed;
	}

	/** It connects only when `others` have disconnected: they may have its client identifier. */
	startsAfter(others: Promise<unknown>): void {
		this.#after = others;
	}

	get isStarted(): boolean {
		return this.#isStarted;
	}

	/** Connects, if it has not yet. */
	async start(): Promise<void> {
		await this.#after;
		this.binding.start();
		this.#isStarted = true;
	}

	/** Events go to `handler`, always the same one, from now on. Rejects with StateError where `direction` has no input. */
	async read(handler: ReadHandler): Promise<void> {
		await this.#after;
		if (this.#isReading) {
			this.binding.resume();
			return;
		}
		await this.binding.read(handler);
		this.#isReading = true;
	}

	/** True when both would be the same client of the same broker. */
	clashesWith({ binding }: HostedBinding): boolean {
		const others = new Set(binding.connections.map(({ broker, clientId }) => `${broker} ${clientId}`));
		return this.binding.connections.some(({ broker, clientId }) => others.has(`${broker} ${clientId}`));
	}

	hasProperties(properties: Properties): boolean {
		const keys = Object.keys(properties);
		return (
			keys.length === Object.keys(this.properties).length &&
			keys.every((key) => Object.hasOwn(this.properties, key) && this.properties[key] === properties[key])
		);
	}

	/** Ends it; what the app has not accepted stays with the broker. Idempotent. */
	close(): Promise<void> {
		this.#isClosed = true;
		return this.binding.close();
	}
}
