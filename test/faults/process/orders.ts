import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { SidecarOptions, SidecarProcess } from "../../support/sidecar-process.js";
import { tempFolder } from "../../support/temp-folder.js";

const PRELOAD = pathToFileURL(join(import.meta.dirname, "preload.mjs")).href;

/** Orders for a sidecar: its wall clock jumps, or its event loop is blocked. */
export interface Orders extends AsyncDisposable {
	/** How the sidecar must be started. */
	readonly options: Pick<SidecarOptions, "nodeArgs" | "env">;
	/** Writes an order, which a sidecar obeys at its start if `ORDERS_AT_START` is set. */
	write(order: `shift ${number}` | `block ${number}`): void;
	give(sidecar: SidecarProcess, order: `shift ${number}` | `block ${number}`): void;
}

/** Makes the file that orders stand in. */
export async function orders(): Promise<Orders> {
	const folder = await tempFolder();
	const file = join(folder.path, "orders");
	const write = (order: string) => writeFileSync(file, order);
	return {
		options: { nodeArgs: ["--import", PRELOAD], env: { ORDERS: file } },
		write,
		give(sidecar, order) {
			write(order);
			sidecar.signal("SIGUSR2");
		},
		[Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
	};
}
