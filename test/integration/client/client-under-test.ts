import { parseBrokerUrl, splitBrokerUrls } from "../../../src/mqtt/broker-url.js";
import { MqttClient, type MqttClientOptions } from "../../../src/mqtt/client.js";
import type { ClientState } from "../../../src/mqtt/client-status.js";
import type { Delivery } from "../../../src/mqtt/delivery.js";
import type { ApplicationMessage } from "../../../src/mqtt/packet.js";
import type { Report } from "../../../src/mqtt/report.js";
import { eventually } from "../../support/eventually.js";
import { type ScriptedBroker, type ScriptedConnection, startScriptedBroker } from "../../support/scripted-broker.js";

/** What a test varies of a client; the rest is as a binding has it. */
export interface ClientChanges extends Partial<Omit<MqttClientOptions, "url" | "listener" | "onReport">> {
	/** Called with each delivery that comes, while the PUBLISH is read. */
	readonly onDelivery?: (delivery: Delivery) => void;
	/** False: the client has no listener, as with `direction: output`. */
	readonly listens?: boolean;
}

/** A client that connects to `url`, or to several with commas between, subscribes to `a/#` and keeps all that it says. */
export class ClientUnderTest implements AsyncDisposable {
	readonly client: MqttClient;
	/** What came, in order; adopted ones stand here once. */
	readonly deliveries: Delivery[] = [];
	readonly adopted: Delivery[] = [];
	readonly died: Delivery[] = [];
	readonly reports: Report[] = [];
	readonly states: ClientState[] = [];
	/** How often a connection's deliveries became orphans. */
	orphanings = 0;

	constructor(url: string, { onDelivery, listens = true, ...changes }: ClientChanges = {}) {
		this.client = new MqttClient({
			clientId: "client-under-test",
			cleanSession: false,
			keepAliveMs: 30_000,
			connectTimeoutMs: 10_000,
			publishTimeoutMs: 10_000,
			subscriptions: [{ filter: "a/#", qos: 1 }],
			ackOrder: "arrival",
			maxBuffered: 64 * 1024 * 1024,
			maxPayloadSize: 4 * 1024 * 1024,
			...changes,
			url: splitBrokerUrls(url).map(parseBrokerUrl),
			...(listens && {
				listener: {
					delivered: (delivery) => {
						this.deliveries.push(delivery);
						onDelivery?.(delivery);
					},
					adopted: (delivery) => void this.adopted.push(delivery),
					orphaned: () => void this.orphanings++,
					died: (delivery) => void this.died.push(delivery),
				},
			}),
			onReport: (report) => void this.reports.push(report),
		});
		this.client.on("state", (state) => this.states.push(state));
	}

	/** The payloads that came, as text. */
	get payloads(): string[] {
		return this.deliveries.map(({ packet }) => Buffer.from(packet.payload).toString());
	}

	/** Waits for `count` deliveries in all and resolves with the last. */
	async delivered(count: number): Promise<Delivery> {
		return await eventually(() => {
			if (this.deliveries.length < count) throw new Error(`${this.deliveries.length} of ${count} deliveries came`);
			return this.deliveries[count - 1]!;
		});
	}

	/** Waits for `count` reports with that code and resolves with the last of them. */
	async reported(code: string, count = 1): Promise<Report> {
		return await eventually(() => {
			const reports = this.reports.filter((it) => it.code === code);
			if (reports.length < count)
				throw new Error(`no ${count} ${code} among ${JSON.stringify(this.reports.slice(-10))}`);
			return reports[count - 1]!;
		});
	}

	/** Publishes to `a/out`; resolves with "ok" or the error's message. */
	async publish(payload: string | Uint8Array, { topic = "a/out", qos = 1, retain = false, ...options }: Publish = {}) {
		const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
		return await this.client.publish({ topic, payload: bytes, qos, retain }, options).then(
			() => "ok",
			(error: Error) => error.message,
		);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.client.close();
	}
}

type Publish = Partial<Omit<ApplicationMessage, "payload">> & {
	readonly timeoutMs?: number;
	readonly signal?: AbortSignal;
};

/** The milliseconds until the next attempt, of which a report speaks that something failed or ended. */
export function delayOf({ message }: Report): number {
	const [, delayMs] = /next attempt in (\d+) ms$/.exec(message) ?? [];
	if (delayMs === undefined) throw new Error(`no delay in ${JSON.stringify(message)}`);
	return Number(delayMs);
}

/** A client and the scripted broker that it talks to. */
export interface Scene extends AsyncDisposable {
	readonly broker: ScriptedBroker;
	readonly it: ClientUnderTest;
	/** Takes the next connection and answers its CONNECT. */
	online(connAck?: { readonly sessionPresent?: boolean }): Promise<ScriptedConnection>;
	/** The same, and takes the SUBSCRIBE that follows. */
	subscribed(connAck?: { readonly sessionPresent?: boolean }): Promise<ScriptedConnection>;
}

/** Starts a scripted broker and a client that connects to it; `subscribes`: also calls subscribe() (default). */
export async function startScene(changes: ClientChanges & { readonly subscribes?: boolean } = {}): Promise<Scene> {
	const { subscribes = true, ...rest } = changes;
	const broker = await startScriptedBroker();
	const it = new ClientUnderTest(broker.url, rest);
	if (subscribes) it.client.subscribe();
	it.client.connect().catch(() => {});
	const online: Scene["online"] = async (connAck) => {
		const connection = await broker.accept();
		await connection.greet(connAck);
		return connection;
	};
	return {
		broker,
		it,
		online,
		subscribed: async (connAck) => {
			const connection = await online(connAck);
			await connection.grant();
			return connection;
		},
		[Symbol.asyncDispose]: async () => {
			await it[Symbol.asyncDispose]();
			await broker[Symbol.asyncDispose]();
		},
	};
}

/** The PUBREL that goes before the first QoS 2 publish of a process, and its answer. */
export async function cleared(connection: ScriptedConnection): Promise<void> {
	await connection.expect("pubrel", ({ messageId }) => messageId === 1);
	connection.send({ cmd: "pubcomp", messageId: 1 });
}
