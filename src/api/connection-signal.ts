import { setMaxListeners } from "node:events";
import type { Socket } from "node:net";

/** Tells requests that their caller is gone: one signal per connection, made when it is first asked for. */
export class ConnectionSignals {
	readonly #signals = new WeakMap<Socket, AbortSignal>();

	/** The signal that aborts when the connection closes. Many requests of one keep-alive connection share it. */
	of(socket: Socket): AbortSignal {
		const known = this.#signals.get(socket);
		if (known !== undefined) return known;
		const controller = new AbortController();
		// As many listeners as requests are pipelined; the budget of open requests bounds them.
		setMaxListeners(0, controller.signal);
		if (socket.destroyed) controller.abort();
		else socket.once("close", () => controller.abort(new Error("the caller is gone")));
		this.#signals.set(socket, controller.signal);
		return controller.signal;
	}
}
