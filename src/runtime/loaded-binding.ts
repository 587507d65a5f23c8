import type { Binding, BrokerConnection, Cancellation, InvokeRequest, InvokeResponse } from "../bindings/binding.js";
import type { ResolvedComponent } from "./runtime.js";

/** A component, the binding that was made for it, and the calls that are under way in it. */
export class LoadedBinding {
	readonly component: ResolvedComponent;
	readonly binding: Binding;
	#calls = 0;
	#onIdle: (() => void) | undefined;

	constructor(component: ResolvedComponent, binding: Binding) {
		this.component = component;
		this.binding = binding;
	}

	/** Settles as the binding's invoke() does. */
	async invoke(request: InvokeRequest, signal?: Cancellation): Promise<InvokeResponse | undefined> {
		this.#calls++;
		try {
			return await this.binding.invoke(request, signal);
		} finally {
			this.#calls--;
			if (this.#calls === 0) this.#onIdle?.();
		}
	}

	/** Resolves when no call is under way, or when `signal` aborts. */
	untilIdle(signal: AbortSignal): Promise<void> {
		if (this.#calls === 0 || signal.aborted) return Promise.resolve();
		return new Promise((resolve) => {
			this.#onIdle = resolve;
			signal.addEventListener("abort", () => resolve(), { once: true });
		});
	}

	/** A connection of this one that would be the same client of the same broker as one of the other: the broker would end one for the other. */
	sharedWith({ binding: { connections } }: LoadedBinding): BrokerConnection | undefined {
		return this.binding.connections.find(({ broker, clientId }) =>
			connections.some((connection) => connection.broker === broker && connection.clientId === clientId),
		);
	}
}
