import { connect, type IClientOptions, type MqttClient } from "mqtt";
import { eventually } from "./eventually.js";

/** A message that a device got. */
export interface DeviceMessage {
	readonly topic: string;
	readonly payload: Buffer;
	readonly qos: 0 | 1 | 2;
	readonly retain: boolean;
	readonly dup: boolean;
	/** `performance.now()` of its arrival. */
	readonly at: number;
}

/** What a device publishes. */
export interface DevicePublish {
	readonly topic: string;
	readonly payload: string | Buffer;
	/** Default 1. */
	readonly qos?: 0 | 1 | 2;
	/** Default false. */
	readonly retain?: boolean;
}

/** Publishes of `publishAll` that wait for their acknowledgement at once. */
const WINDOW = 1_000;

/**
 * Connects the device, or the other system, of a test: an MQTT client that shares no code with ours. Resolves on CONNACK, rejects when it is
 * refused. It does not reconnect unless `options` say so. What the broker sends is collected from the first byte on.
 */
export async function connectDevice(url: string, options: IClientOptions = {}): Promise<MqttDevice> {
	const client = connect(url, { protocolVersion: 4, reconnectPeriod: 0, connectTimeout: 10_000, ...options });
	const device = new MqttDevice(client);
	try {
		await new Promise<void>((resolve, reject) => {
			client.once("connect", () => resolve());
			client.once("error", reject);
			client.once("close", () => reject(new Error(`${url} closed the connection before CONNACK`)));
		});
	} catch (error) {
		await device[Symbol.asyncDispose]();
		throw error;
	}
	return device;
}

/** A connected device. Disposing cuts the connection; `close` takes leave. */
export class MqttDevice implements AsyncDisposable {
	/** For what the methods here leave out. */
	readonly client: MqttClient;
	/** All it got, in order. */
	readonly messages: DeviceMessage[] = [];
	/** Resolves when the connection is gone for the first time. */
	readonly closed: Promise<void>;
	readonly #reconnects: boolean;

	constructor(client: MqttClient) {
		this.client = client;
		client.on("message", (topic, payload, { qos, retain, dup }) => {
			this.messages.push({ topic, payload, qos, retain, dup, at: performance.now() });
		});
		// The end of a connection is for the test to assert; an error without listener would end the process.
		client.on("error", () => {});
		this.closed = new Promise((resolve) => client.once("close", resolve));
		this.#reconnects = (client.options.reconnectPeriod ?? 0) > 0;
	}

	/** Resolves with the granted QoS; rejects when the broker refuses. */
	async subscribe(filter: string, qos: 0 | 1 | 2 = 1): Promise<number> {
		const [grant] = await this.#unlessClosed(this.client.subscribeAsync(filter, { qos }));
		return grant?.qos ?? 128;
	}

	/** Resolves when the broker has acknowledged (QoS 0: when written); rejects when the connection ends before that and is not made again. */
	async publish(
		topic: string,
		payload: string | Buffer,
		{ qos = 1, retain = false }: Omit<DevicePublish, "topic" | "payload"> = {},
	): Promise<void> {
		await this.#unlessClosed(this.client.publishAsync(topic, payload, { qos, retain }));
	}

	/** Publishes `count` messages as fast as the broker takes them; resolves when all are acknowledged. */
	async publishAll(count: number, message: (index: number) => DevicePublish): Promise<void> {
		let next = 0;
		const lane = async () => {
			while (next < count) {
				const { topic, payload, ...options } = message(next++);
				await this.publish(topic, payload, options);
			}
		};
		await Promise.all(Array.from({ length: Math.min(WINDOW, count) }, lane));
	}

	/** Waits until it has `count` messages in all, and resolves with them. */
	async received(count: number, timeoutMs = 10_000): Promise<readonly DeviceMessage[]> {
		await eventually(
			() => {
				if (this.messages.length < count)
					throw new Error(`the device has ${this.messages.length} of ${count} messages`);
			},
			{ timeoutMs },
		);
		return this.messages;
	}

	/** DISCONNECT, then the end of the connection. */
	async close(): Promise<void> {
		await this.client.endAsync();
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.client.endAsync(true);
	}

	/** MQTT.js leaves the promises of a connection that is gone for good unsettled. */
	#unlessClosed<T>(answer: Promise<T>): Promise<T> {
		if (this.#reconnects) return answer;
		const gone = this.closed.then(() => {
			throw new Error("the connection ended before the broker answered");
		});
		return Promise.race([answer, gone]);
	}
}
