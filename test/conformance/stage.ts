import { expect } from "vitest";
import type { Mqtt3Options } from "../../src/bindings/mqtt3-options.js";
import { type Broker, type BrokerMessage, startBroker } from "../../src/broker/broker.js";
import type { AppScript } from "../support/app-script.js";
import { eventually } from "../support/eventually.js";
import { freePort } from "../support/free-port.js";
import type { AppEvent, BindingUnderTest, Face } from "./face.js";

const PATIENCE = { timeoutMs: 10_000 };

/** What a case may vary. */
export type StageOptions = Omit<Partial<Mqtt3Options>, "url" | "clientId"> & { readonly script?: AppScript };

/** Broker, binding and app of one group of cases. */
export class Stage implements AsyncDisposable {
	readonly face: Face;
	readonly clientId = "conformance";
	/** What clients published, in order. */
	readonly published: BrokerMessage[] = [];
	readonly #port: number;
	#broker: Broker | undefined;
	#binding: BindingUnderTest | undefined;
	#options: StageOptions = {};
	#markers = 0;

	private constructor(face: Face, port: number) {
		this.face = face;
		this.#port = port;
	}

	/** With a broker, and no binding yet. */
	static async open(face: Face): Promise<Stage> {
		const stage = new Stage(face, await freePort());
		await stage.startBroker();
		return stage;
	}

	get broker(): Broker {
		if (this.#broker === undefined) throw new Error("the broker is away");
		return this.#broker;
	}

	get binding(): BindingUnderTest {
		if (this.#binding === undefined) throw new Error("the binding is not started");
		return this.#binding;
	}

	/** Starts the binding, in place of one that was started before; its topic is `in/#` unless it says otherwise. */
	async start(options: StageOptions = {}): Promise<void> {
		await this.#binding?.[Symbol.asyncDispose]();
		this.#options = options;
		const { script, ...given } = options;
		const { clientId } = this;
		const url = `mqtt://127.0.0.1:${this.#port}`;
		this.#binding = await this.face.start(
			{ topic: "in/#", ...given, url, clientId },
			{ graceMs: 1_000, ...(script && { script }) },
		);
	}

	/** Starts it again, after a stop: the same client identifier, so the same session. */
	async restart(changes: StageOptions = {}): Promise<void> {
		await this.start({ ...this.#options, ...changes });
	}

	async stopBroker(): Promise<void> {
		await this.broker.close();
		this.#broker = undefined;
	}

	/** Starts a broker in its place: no session and no retained message is left. */
	async startBroker(): Promise<void> {
		this.#broker = await startBroker({ port: this.#port });
		this.#broker.onPublish((message) => void (message.clientId !== undefined && this.published.push(message)));
	}

	/** Publishes texts, one after the other, to `in/<name>`. */
	async send(name: string, ...payloads: readonly string[]): Promise<void> {
		for (const payload of payloads) await this.broker.publish(`in/${name}`, payload);
	}

	/** The events of the topic `in/<name>`. */
	events(name: string): readonly AppEvent[] {
		return this.binding.events().filter(({ topic }) => topic === `in/${name}`);
	}

	/** Waits until the app got `count` events of the topic `in/<name>`. */
	async arrived(name: string, count: number): Promise<readonly AppEvent[]> {
		await eventually(() => expect(this.events(name).length).toBeGreaterThanOrEqual(count), PATIENCE);
		return this.events(name);
	}

	/** Waits until the app accepted `count` events of the topic `in/<name>`; resolves with those. */
	async accepted(name: string, count: number): Promise<readonly AppEvent[]> {
		const accepted = () => this.events(name).filter(({ status }) => status === 200);
		await eventually(() => expect(accepted().length).toBeGreaterThanOrEqual(count), PATIENCE);
		return accepted();
	}

	/** Waits until everything that the broker had before has been handed to the app. */
	async settled(): Promise<void> {
		const name = `marker-${++this.#markers}`;
		await this.send(name, "marker");
		await this.arrived(name, 1);
	}

	/** Waits until a client published to `topic`; resolves with the first such message that is not older than `from`. */
	async publishedTo(topic: string, from = 0): Promise<BrokerMessage> {
		return await eventually(() => {
			const found = this.published.slice(from).find((message) => message.topic === topic);
			if (found === undefined) throw new Error(`nothing was published to ${topic}`);
			return found;
		}, PATIENCE);
	}

	/** Waits until readiness has a reason of this code; resolves with whether it blocks. */
	async reason(code: string): Promise<boolean> {
		const find = async () => (await this.binding.reasons()).find((reason) => reason.code === code);
		return await eventually(async () => {
			const reason = await find();
			if (reason === undefined) throw new Error(`no reason ${code}`);
			return { blocking: reason.blocking };
		}, PATIENCE).then(({ blocking }) => blocking);
	}

	/** The codes of what is not in order. */
	async codes(): Promise<readonly string[]> {
		return (await this.binding.reasons()).map(({ code }) => code);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#binding?.[Symbol.asyncDispose]();
		await this.#broker?.close();
	}
}

/** The payloads as text. */
export function texts(events: readonly { readonly payload: Uint8Array }[]): readonly string[] {
	return events.map(({ payload }) => Buffer.from(payload).toString());
}
