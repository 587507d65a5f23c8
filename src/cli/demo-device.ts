import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { generate, type Packet, parser } from "mqtt-packet";

/** Where the device publishes its readings. */
export const READING_TOPIC = "home/boiler/temperature";
/** Where it takes commands. */
export const COMMAND_TOPIC = "home/boiler/command";

/** What the device publishes. */
export interface Reading {
	readonly reading: number;
	readonly celsius: number;
}

export interface DemoDeviceOptions {
	readonly host: string;
	readonly port: number;
	readonly intervalMs: number;
	/** A reading is about to leave; its exact JSON text. */
	readonly onReading: (payload: string) => void;
	/** A command came; `roundTripMs` when it answers a reading of ours. */
	readonly onCommand: (payload: string, roundTripMs: number | undefined) => void;
	/** The connection to the broker broke; the device stands still. */
	readonly onLost: (reason: string) => void;
}

/** Readings whose answers are waited for, at most. */
const REMEMBERED = 100;

/** A pretended boiler with a thermometer: a small MQTT device of its own, on a plain socket. */
export class DemoDevice {
	readonly #socket: Socket;
	readonly #options: DemoDeviceOptions;
	readonly #sentAt = new Map<number, number>();
	#timer: NodeJS.Timeout | undefined;
	#readings = 0;
	#celsius = 58;
	#heating = false;

	private constructor(socket: Socket, options: DemoDeviceOptions) {
		this.#socket = socket;
		this.#options = options;
	}

	/** Connects and subscribes; the first reading leaves at once. Rejects when the broker is not there. */
	static async start(options: DemoDeviceOptions): Promise<DemoDevice> {
		const socket = connect({ host: options.host, port: options.port, noDelay: true });
		await once(socket, "connect");
		const device = new DemoDevice(socket, options);
		const packets = parser({ protocolVersion: 4 });
		packets.on("packet", (packet) => device.#receive(packet));
		packets.on("error", (error) => socket.destroy(error));
		socket.on("data", (bytes) => packets.parse(bytes));
		socket.on("error", () => {});
		socket.once("close", () => device.#lost());
		device.#send({ cmd: "connect", clientId: "demo-device", clean: true, keepalive: 0, protocolVersion: 4 });
		return device;
	}

	/** How many readings were published. */
	get readings(): number {
		return this.#readings;
	}

	/** Says goodbye to the broker; nothing is published any more. */
	async [Symbol.asyncDispose](): Promise<void> {
		if (this.#socket.destroyed) return;
		this.#stopPublishing();
		this.#socket.removeAllListeners("close");
		this.#send({ cmd: "disconnect" });
		this.#socket.end();
		await once(this.#socket, "close");
	}

	#receive(packet: Packet): void {
		if (packet.cmd === "connack") this.#subscribe();
		else if (packet.cmd === "suback") this.#startPublishing();
		else if (packet.cmd === "publish") {
			if (packet.messageId !== undefined) this.#send({ cmd: "puback", messageId: packet.messageId });
			this.#obey(packet.payload.toString());
		}
	}

	#subscribe(): void {
		this.#send({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: COMMAND_TOPIC, qos: 1 }] });
	}

	#startPublishing(): void {
		this.#publish();
		this.#timer = setInterval(() => this.#publish(), this.#options.intervalMs);
	}

	#stopPublishing(): void {
		clearInterval(this.#timer);
	}

	#publish(): void {
		this.#celsius += this.#heating ? 0.7 : -0.4;
		const reading: Reading = { reading: ++this.#readings, celsius: Math.round(this.#celsius * 10) / 10 };
		const payload = JSON.stringify(reading);
		this.#sentAt.set(reading.reading, performance.now());
		this.#sentAt.delete(reading.reading - REMEMBERED);
		this.#options.onReading(payload);
		const messageId = (reading.reading % 65_535) + 1;
		this.#send({ cmd: "publish", topic: READING_TOPIC, payload, qos: 1, messageId, dup: false, retain: false });
	}

	#obey(payload: string): void {
		const { heating, reading } = readCommand(payload);
		if (heating !== undefined) this.#heating = heating;
		const sentAt = reading === undefined ? undefined : this.#sentAt.get(reading);
		if (reading !== undefined) this.#sentAt.delete(reading);
		this.#options.onCommand(payload, sentAt === undefined ? undefined : performance.now() - sentAt);
	}

	#lost(): void {
		this.#stopPublishing();
		this.#options.onLost("the broker closed the device's connection");
	}

	#send(packet: Packet): void {
		if (this.#socket.writable) this.#socket.write(generate(packet, { protocolVersion: 4 }));
	}
}

/** Takes what it knows of a command, which anybody may have written with curl. */
function readCommand(payload: string): { readonly heating?: boolean; readonly reading?: number } {
	try {
		const command: unknown = JSON.parse(payload);
		if (typeof command !== "object" || command === null) return {};
		return {
			...("heating" in command && typeof command.heating === "boolean" && { heating: command.heating }),
			...("reading" in command && typeof command.reading === "number" && { reading: command.reading }),
		};
	} catch {
		return {};
	}
}
