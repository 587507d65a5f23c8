import type { AddressInfo, Server } from "node:net";
import { MqttConnectionError } from "../../src/errors.js";
import { type BrokerUrl, parseBrokerUrl } from "../../src/mqtt/broker-url.js";
import { type Connection, type ConnectionListener, type ConnectionOptions, dial } from "../../src/mqtt/connection.js";
import { eventually } from "./eventually.js";

/** Listens to one Network Connection and remembers what it said. */
export class ConnectionRecorder implements ConnectionListener {
	readonly chunks: Buffer[] = [];
	readonly causes: MqttConnectionError[] = [];
	drains = 0;
	signsOfLife = 0;
	/** What was called after closed(); a connection that keeps its word leaves it empty. */
	readonly afterClosed: string[] = [];

	data(chunk: Buffer): void {
		this.#note("data");
		this.chunks.push(chunk);
	}
	drain(): void {
		this.#note("drain");
		this.drains++;
	}
	progress(): void {
		this.#note("progress");
		this.signsOfLife++;
	}
	closed(cause: MqttConnectionError): void {
		this.#note("closed");
		this.causes.push(cause);
	}
	get text(): string {
		return Buffer.concat(this.chunks).toString("latin1");
	}
	/** Waits for the end and says why. */
	cause(): Promise<MqttConnectionError> {
		return eventually(() => this.causes[0] ?? Promise.reject(new Error("still open")), { timeoutMs: 10_000 });
	}
	#note(what: string): void {
		if (this.causes.length > 0) this.afterClosed.push(what);
	}
}

/** Lets a server listen on a free port of loopback and says which. */
export async function listen(server: Server, host = "127.0.0.1"): Promise<number> {
	await new Promise<void>((resolve, reject) => {
		server.once("error", reject);
		server.listen(0, host, resolve);
	});
	return (server.address() as AddressInfo).port;
}

/** Dials `text` and records what the connection says. */
export async function dialRecorded(
	text: string,
	options: Partial<ConnectionOptions> = {},
	signal: AbortSignal = new AbortController().signal,
): Promise<{ connection: Connection; recorder: ConnectionRecorder; url: BrokerUrl }> {
	const url = parseBrokerUrl(text);
	const recorder = new ConnectionRecorder();
	const connection = await dial(url, { timeoutMs: 5_000, ...options }, recorder, signal);
	return { connection, recorder, url };
}

/** Dials `text`, which must fail, and gives the error. */
export async function dialError(
	text: string,
	options: Partial<ConnectionOptions> = {},
	signal?: AbortSignal,
): Promise<MqttConnectionError> {
	try {
		const { connection, url } = await dialRecorded(text, options, signal);
		connection.destroy(new MqttConnectionError("unexpected", { url: url.href, reason: "local" }));
	} catch (error) {
		if (error instanceof MqttConnectionError) return error;
		throw error;
	}
	throw new Error("it connected");
}
