import { join } from "node:path";
import { type Program, startProgram } from "./process.js";

/** How an app with Dapr's SDK finds the sidecar. */
export interface DaprSdkOptions {
	readonly protocol: "HTTP" | "GRPC";
	readonly port: number;
	readonly token?: string;
}

/** What the SDK made of an error. */
export interface DaprSdkError {
	readonly message: string;
	/** A gRPC status, where there is one. */
	readonly code: number | null;
}

/** Starts an app with Dapr's official SDK for JavaScript, in a process of its own. */
export async function startDaprSdk({ protocol, port, token = "" }: DaprSdkOptions): Promise<DaprSdk> {
	const main = join(import.meta.dirname, "dapr-sdk-main.mjs");
	const args = [main, protocol, String(port), token];
	const program = startProgram(process.execPath, args, {
		name: "sdk",
		ipc: true,
		// What the SDK takes from there is what this program gives it.
		env: { DAPR_API_TOKEN: undefined, DAPR_HTTP_PORT: undefined, DAPR_GRPC_PORT: undefined },
	});
	await program.line(/listening on IPC/);
	return new DaprSdk(program);
}

/** The SDK's client, as an app has it. */
export class DaprSdk implements AsyncDisposable {
	readonly #program: Program;
	#calls = 0;

	constructor(program: Program) {
		this.#program = program;
	}

	/** Sends to an output binding; resolves with what the SDK resolves with. Rejects with a DaprSdkError. */
	async send(name: string, operation: string, data: unknown, metadata: object = {}): Promise<unknown> {
		return await this.call("binding.send", name, operation, data, metadata);
	}

	/** Calls a method of its client, `metadata.get`. */
	async call(method: string, ...args: readonly unknown[]): Promise<unknown> {
		const id = ++this.#calls;
		const answer = new Promise<{ readonly result?: unknown; readonly error?: DaprSdkError }>((resolve) => {
			const leave = this.#program.onMessage((message) => {
				if ((message as { id?: number }).id !== id) return;
				leave();
				resolve(message as { readonly result?: unknown });
			});
		});
		this.#program.send({ id, method, args });
		const { result, error } = await answer;
		if (error !== undefined) throw Object.assign(new Error(error.message), { code: error.code });
		return result;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#program.kill();
	}
}

/** Where an app with the SDK's server listens, and where its sidecar does. */
export interface DaprSdkServerOptions extends DaprSdkOptions {
	readonly appPort: number;
}

/** Starts an app that serves the binding `orders` with Dapr's official SDK, in a process of its own; its sidecar must be there. */
export async function startDaprSdkServer(options: DaprSdkServerOptions): Promise<DaprSdkServer> {
	const { protocol, port, appPort, token = "" } = options;
	const main = join(import.meta.dirname, "dapr-sdk-server-main.mjs");
	const program = startProgram(process.execPath, [main, protocol, String(appPort), String(port), token], {
		name: "sdk server",
		ipc: true,
		env: { DAPR_API_TOKEN: undefined, DAPR_HTTP_PORT: undefined, DAPR_GRPC_PORT: undefined, APP_PORT: undefined },
	});
	const server = new DaprSdkServer(program);
	await program.line(/the app serves/);
	return server;
}

/** An app with the SDK's server. It answers each event that it accepts with the same data on `out/done`. */
export class DaprSdkServer implements AsyncDisposable {
	readonly #program: Program;
	/** What its handler was called with, in order. */
	readonly events: unknown[] = [];

	constructor(program: Program) {
		this.#program = program;
		program.onMessage((message) => this.events.push(message));
	}

	/** Whether its handler throws from now on. */
	refuse(refuses: boolean): void {
		this.#program.send({ refuses });
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#program.kill();
	}
}
