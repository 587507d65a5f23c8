import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { COMMAND_TOPIC, type Reading } from "./demo-device.js";

export interface DemoAppOptions {
	/** 0: any free one. */
	readonly port: number;
	/** Where the sidecar's API is, asked when it is needed. */
	readonly sidecarUrl: () => string;
	/** A message came in: route and payload. */
	readonly onMessage: (route: string, payload: string) => void;
	/** A command is about to leave; its exact JSON text. */
	readonly onCommand: (payload: string) => void;
	/** The sidecar did not take a command. */
	readonly onProblem: (problem: string) => void;
}

/** Above it the heating is switched off, below `COLDEST` on. */
const WARMEST = 62;
const COLDEST = 58;

/** A thermostat, as anybody would write it for Dapr: an HTTP server that takes readings and answers with commands. */
export class DemoApp {
	readonly port: number;
	readonly #server: Server;
	#messages = 0;

	private constructor(server: Server, options: DemoAppOptions) {
		this.#server = server;
		this.port = (server.address() as AddressInfo).port;
		let heating = false;
		server.on("request", async (request, response) => {
			const payload = await readBody(request);
			// Dapr asks with OPTIONS whether the app wants a binding's messages.
			response.writeHead(200).end();
			if (request.method !== "POST") return;
			this.#messages++;
			options.onMessage(request.url ?? "/", payload);
			const reading = readReading(payload);
			if (reading === undefined) return;
			if (reading.celsius < COLDEST) heating = true;
			if (reading.celsius > WARMEST) heating = false;
			await sendCommand(JSON.stringify({ reading: reading.reading, heating }), request.url ?? "/", options);
		});
	}

	/** Resolves once it listens; rejects when the port is taken. */
	static async start(options: DemoAppOptions): Promise<DemoApp> {
		const server = createServer();
		server.listen(options.port, "127.0.0.1");
		await once(server, "listening");
		return new DemoApp(server, options);
	}

	get url(): string {
		return `http://127.0.0.1:${this.port}`;
	}

	/** How many messages came in. */
	get messages(): number {
		return this.#messages;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#server.close();
		this.#server.closeAllConnections();
		await once(this.#server, "close");
	}
}

async function readBody(request: IncomingMessage): Promise<string> {
	const chunks: Buffer[] = [];
	for await (const chunk of request) chunks.push(chunk);
	return Buffer.concat(chunks).toString();
}

/** Undefined for what somebody else published. */
function readReading(payload: string): Reading | undefined {
	try {
		const reading: Partial<Reading> | null = JSON.parse(payload);
		return typeof reading?.celsius === "number" && typeof reading.reading === "number"
			? (reading as Reading)
			: undefined;
	} catch {
		return undefined;
	}
}

async function sendCommand(command: string, route: string, options: DemoAppOptions): Promise<void> {
	options.onCommand(command);
	try {
		const response = await fetch(`${options.sidecarUrl()}/v1.0/bindings${route}`, {
			method: "POST",
			headers: { "content-type": "application/json" },
			body: `{"operation":"create","metadata":{"topic":"${COMMAND_TOPIC}"},"data":${command}}`,
		});
		if (!response.ok) options.onProblem(`the sidecar answered ${response.status}: ${await response.text()}`);
	} catch (error) {
		options.onProblem(`the sidecar did not answer: ${error instanceof Error ? error.message : error}`);
	}
}
