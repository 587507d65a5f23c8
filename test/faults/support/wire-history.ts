import type { WirePacket } from "./wire-packet.js";

/** From the one that connected (the sidecar), or from the one that listens (the broker). */
export type Direction = "from client" | "from server";

/** One thing that the proxy saw. `at` is in milliseconds on this machine's monotonic clock, as in the app's log; `epoch` counts connections from 1. */
export type WireEvent =
	| { readonly at: number; readonly epoch: number; readonly event: "opened" | "closed" | "healed" }
	| {
			readonly at: number;
			readonly epoch: number;
			readonly event: "packet";
			readonly direction: Direction;
			readonly packet: WirePacket;
			/** A packet that was swallowed never reached the other side; one that was held did if it comes a second time, as released. */
			readonly fate: "forwarded" | "swallowed" | "held" | "released";
	  }
	| { readonly at: number; readonly epoch: number; readonly event: "fault"; readonly what: string };

/** Now, on the clock of all histories. */
export function historyTime(): number {
	return Number(process.hrtime.bigint()) / 1e6;
}
