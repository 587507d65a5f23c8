import { StateError } from "../errors.js";
import { MqttClient } from "../mqtt/client.js";
import type { Dial, TlsSettings } from "../mqtt/connection.js";
import type {
	Binding,
	BindingStatistics,
	BrokerConnection,
	Cancellation,
	ComponentMetadata,
	HealthReason,
	InvokeRequest,
	ReadHandler,
	Report,
} from "./binding.js";
import { CounterReports } from "./counter-reports.js";
import { filtersToLeave } from "./filters-to-leave.js";
import { connectionReasons, deliveryReasons, trustReasons } from "./mqtt3-health.js";
import { Mqtt3Input } from "./mqtt3-input.js";
import { parseMqtt3Metadata } from "./mqtt3-metadata.js";
import type { Mqtt3Settings } from "./mqtt3-options.js";
import { Mqtt3Output, OPERATIONS } from "./mqtt3-output.js";
import { certificateDays, connectionStatistics, inputStatistics } from "./mqtt3-statistics.js";

/** How often the input is looked at for being stalled. */
const WATCH_MS = 1_000;
/** The event loop was held up for longer: worth a word, as brokers close connections that are silent for one and a half keep-alives. */
const BLOCKED_MS = 1_000;

/** What init() makes of the settings. */
interface Parts {
	readonly settings: Mqtt3Settings;
	readonly input: Mqtt3Input;
	readonly output: Mqtt3Output;
	/** The connection that receives. */
	readonly consumer: MqttClient;
	/** The connection that publishes: the same one unless `splitConnections`. */
	readonly producer: MqttClient;
}

/** Dapr's `bindings.mqtt3`: input and output over one MQTT connection, or two with `splitConnections`. */
export class Mqtt3Binding implements Binding {
	readonly operations = OPERATIONS;
	readonly #dial: Dial | undefined;
	readonly #listeners = new Set<(report: Report) => void>();
	#replaces: readonly Mqtt3Binding[];
	#name = "";
	#parts: Parts | undefined;
	#connections: readonly BrokerConnection[] = [];
	/** As read for the latest connection. */
	#tls: TlsSettings | undefined;
	#watch: NodeJS.Timeout | undefined;
	readonly #counterReports = new CounterReports();
	#isStalled = false;
	#watchedAt = 0;
	#closed: Promise<void> | undefined;

	/**
	 * `dial`: how connections are made; tests pass their own. `replaces`: bindings whose session this one goes on with: what they subscribed
	 * to and this one does not is left when it connects, and what still comes of that is acknowledged undelivered.
	 */
	constructor(options: { readonly dial?: Dial; readonly replaces?: readonly Mqtt3Binding[] } = {}) {
		this.#dial = options.dial;
		this.#replaces = options.replaces ?? [];
	}

	get reads(): "always" | "never" | "ask" {
		const { direction } = this.#initialized.settings;
		if (direction === undefined) return "ask";
		return direction.includes("input") ? "always" : "never";
	}

	get writes(): boolean {
		return this.#initialized.settings.direction?.includes("output") ?? true;
	}

	get route(): string {
		return this.#initialized.settings.route ?? this.#name;
	}

	get connections(): readonly BrokerConnection[] {
		return this.#connections;
	}

	/** The settings, once init() or configure() has passed; holds the secrets. */
	get settings(): Mqtt3Settings {
		return this.#initialized.settings;
	}

	async init(metadata: ComponentMetadata): Promise<readonly string[]> {
		const { settings, warnings } = parseMqtt3Metadata(metadata);
		const replaced = this.#replaces.filter(({ reads }) => reads !== "never").map(({ settings: before }) => before);
		this.#replaces = [];
		this.configure(metadata.name, { ...settings, unsubscribe: filtersToLeave(settings, replaced) });
		return warnings;
	}

	/** As init(), with settings in place of metadata. Throws StateError the second time. */
	configure(name: string, settings: Mqtt3Settings): void {
		if (this.#parts !== undefined) throw new StateError(`component ${JSON.stringify(name)} is initialized already`);
		this.#name = name;
		this.#tls = settings.tls;
		const { clientId } = settings;
		const input = new Mqtt3Input({
			component: name,
			settings,
			report: (report) => this.#report(report),
			// On the connection that acknowledges the original.
			publish: (message) => consumer.publish(message),
		});
		const consumer: MqttClient = this.#client(
			settings,
			settings.splitConnections ? `${clientId}-consumer` : clientId,
			input,
		);
		const producer = settings.splitConnections ? this.#client(settings, `${clientId}-producer`) : consumer;
		this.#parts = { settings, input, consumer, producer, output: new Mqtt3Output(name, settings, producer) };
		this.#connections = this.#clients.flatMap(([client, id]) => {
			const keepsSession = client === consumer && this.reads !== "never" && !settings.cleanSession;
			return settings.brokers.map(({ href }) => ({ broker: href, clientId: id, keepsSession }));
		});
	}

	start(): void {
		if (this.#closed !== undefined) return;
		for (const [client] of this.#clients) client.connect().catch(() => {});
		if (this.#watch !== undefined) return;
		this.#watchedAt = performance.now();
		this.#watch = setInterval(() => this.#watchOver(), WATCH_MS);
	}

	async read(handler: ReadHandler): Promise<void> {
		const { input, consumer } = this.#initialized;
		if (this.#closed !== undefined) throw new StateError(`component ${JSON.stringify(this.#name)} is closed`);
		if (this.reads === "never") {
			throw new StateError(`component ${JSON.stringify(this.#name)} has no input (direction)`);
		}
		input.read(handler);
		consumer.subscribe();
		this.start();
	}

	pause(reason: string): void {
		this.#initialized.input.pause(reason);
	}

	resume(): void {
		this.#initialized.input.resume();
	}

	drain(signal: AbortSignal): Promise<boolean> {
		const { input, consumer } = this.#initialized;
		consumer.stopIntake();
		return input.drain(signal);
	}

	async invoke(request: InvokeRequest, signal?: Cancellation): Promise<undefined> {
		if (!this.writes) throw new StateError(`component ${JSON.stringify(this.#name)} has no output (direction)`);
		await this.#initialized.output.invoke(request, signal);
	}

	async ping(): Promise<void> {
		const reason = this.health().find(({ blocking }) => blocking);
		if (reason !== undefined) throw new StateError(`component ${JSON.stringify(this.#name)}: ${reason.message}`);
	}

	health(): readonly HealthReason[] {
		const { settings, input, consumer } = this.#initialized;
		const reasons = [
			...this.#clients.flatMap(([client]) => connectionReasons(client, client === consumer && input.isReading)),
			...trustReasons(settings),
		];
		if (this.reads === "never") {
			const { unread } = consumer.counters;
			if (unread > 0) {
				reasons.push({
					code: "unread",
					message: `the session holds messages and nobody reads (direction: output): ${unread} came and stay with the broker`,
					blocking: false,
				});
			}
			return reasons;
		}
		return [...reasons, ...deliveryReasons(consumer, input)];
	}

	statistics(): BindingStatistics {
		const { settings, input, consumer } = this.#initialized;
		return {
			connections: this.#clients.map(([client]) => {
				const role = settings.splitConnections ? (client === consumer ? "consumer" : "producer") : "both";
				return connectionStatistics(role, client.status());
			}),
			...(this.reads !== "never" && { input: inputStatistics(consumer, input) }),
			certificateDays: certificateDays(this.#tls, Date.now()),
			isUnverified: settings.tls?.insecureSkipVerify ?? false,
		};
	}

	onReport(listener: (report: Report) => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	close(): Promise<void> {
		this.#closed ??= this.#close();
		return this.#closed;
	}

	async #close(): Promise<void> {
		clearInterval(this.#watch);
		if (this.#parts === undefined) return;
		const { input } = this.#parts;
		await input.drain(AbortSignal.abort());
		await Promise.all(this.#clients.map(([client]) => client.close()));
	}

	get #initialized(): Parts {
		if (this.#parts === undefined) throw new StateError("the component is not initialized");
		return this.#parts;
	}

	/** The clients in use, each with its client identifier. */
	get #clients(): readonly (readonly [MqttClient, string])[] {
		const { settings, consumer, producer } = this.#initialized;
		const { clientId, splitConnections } = settings;
		if (!splitConnections) return [[consumer, clientId]];
		return [
			...(this.reads === "never" ? [] : [[consumer, `${clientId}-consumer`] as const]),
			...(this.writes ? [[producer, `${clientId}-producer`] as const] : []),
		];
	}

	#client(settings: Mqtt3Settings, clientId: string, input?: Mqtt3Input): MqttClient {
		const { filters, qos, direction, tls, readTls = tls && (() => tls) } = settings;
		const isInput = direction?.includes("input") ?? true;
		const reads = input !== undefined && isInput;
		// One will is enough: it belongs to the connection that receives, or to the only one.
		const hasWill = reads || !isInput;
		return new MqttClient({
			...settings,
			url: settings.brokers,
			tls: readTls && (() => this.#keepTls(readTls())),
			unsubscribe: reads ? settings.unsubscribe : [],
			unsubscribeOnClose: reads && settings.leaveGroupOnStop,
			clientId,
			will: hasWill ? settings.will : undefined,
			subscriptions: reads ? filters.map((filter) => ({ filter, qos })) : [],
			listener: reads ? input : undefined,
			onReport: (report) => this.#report(report),
			dial: this.#dial,
		});
	}

	/** The certificates in use, for their remaining days. */
	#keepTls(tls: TlsSettings): TlsSettings {
		this.#tls = tls;
		return tls;
	}

	#watchOver(): void {
		this.#lookForLag(performance.now());
		// Both publish where there are two: the consumer its dead letters.
		const answers = this.#clients.map(([client]) => client.status().unexpectedAnswers);
		const unexpectedAnswers = answers.reduce((sum, count) => sum + count, 0);
		const counters = { ...this.#initialized.consumer.counters, unexpectedAnswers };
		for (const report of this.#counterReports.look(counters)) this.#report(report);
		const stalled = this.health().find(({ code }) => code === "stalled");
		if ((stalled !== undefined) === this.#isStalled) return;
		this.#isStalled = stalled !== undefined;
		if (stalled !== undefined) this.#report({ level: "error", code: "stalled", message: stalled.message });
		else this.#report({ level: "info", code: "stalled-no-more", message: "messages flow again" });
	}

	#lookForLag(now: number): void {
		const lateMs = now - this.#watchedAt - WATCH_MS;
		this.#watchedAt = now;
		if (lateMs < BLOCKED_MS) return;
		const seconds = (lateMs / 1_000).toFixed(1);
		this.#report({
			level: "warn",
			code: "event-loop-blocked",
			message: `for ${seconds} s this process did nothing (work that does not yield, or a machine that slept): no message was read, no ping sent; a broker ends a connection that is silent for one and a half keep-alives`,
			details: { lateMs: Math.round(lateMs) },
		});
	}

	#report(report: Report): void {
		for (const listener of this.#listeners) {
			try {
				listener(report);
			} catch (error) {
				// Its fault must show, but not in the middle of a packet: it would leave the session half changed.
				queueMicrotask(() => {
					throw error;
				});
			}
		}
	}
}
