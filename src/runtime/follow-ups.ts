import type { InvokeRequest, Report } from "../bindings/binding.js";
import type { AppResponse } from "./app-channel.js";

/** More than any app means; what is named beyond is left out. */
const MAX_NAMES = 64;
const NULL = Buffer.from("null");

export interface FollowUpsOptions {
	/** Invokes an output binding. Rejects when that fails. */
	readonly invoke: (name: string, request: InvokeRequest, signal: AbortSignal) => Promise<unknown>;
	readonly onReport: (component: string, report: Report) => void;
}

/**
 * Invokes the output bindings that an app names in its yes to an event, with `create` and no metadata. A failure is reported, and takes
 * nothing back: the event is accepted. dapr: pkg/runtime/processor/binding/send.go
 */
export class FollowUps {
	readonly #options: FollowUpsOptions;

	constructor(options: FollowUpsOptions) {
		this.#options = options;
	}

	/** Resolves when all were invoked, whatever came of it. `component`: whose event it was. Never rejects. */
	async run(component: string, { to, data, concurrency }: AppResponse, signal: AbortSignal): Promise<void> {
		const names = to.slice(0, MAX_NAMES);
		if (to.length > MAX_NAMES) {
			this.#report(
				component,
				`the app named ${to.length} output bindings at once: those beyond ${MAX_NAMES} are left out`,
			);
		}
		// As in Dapr data that is no JSON becomes null.
		const request = { operation: "create", data: isJson(data) ? data : NULL, dataIsJson: true, metadata: {} };
		if (concurrency === "parallel") {
			await Promise.all(names.map((name) => this.#invoke(component, name, request, signal)));
		} else {
			for (const name of names) await this.#invoke(component, name, request, signal);
		}
	}

	async #invoke(component: string, name: string, request: InvokeRequest, signal: AbortSignal): Promise<void> {
		try {
			await this.#options.invoke(name, request, signal);
		} catch (error) {
			const why = error instanceof Error ? error.message : String(error);
			const message = `the app's answer names output binding ${JSON.stringify(name.slice(0, 128))}, which could not be invoked: ${why}`;
			this.#report(component, message, error instanceof Error ? error : undefined);
		}
	}

	#report(component: string, message: string, error?: Error): void {
		this.#options.onReport(component, { level: "warn", code: "follow-up-failed", message, ...(error && { error }) });
	}
}

function isJson(data: Uint8Array): boolean {
	try {
		JSON.parse(Buffer.from(data.buffer, data.byteOffset, data.length).toString());
		return true;
	} catch {
		return false;
	}
}
