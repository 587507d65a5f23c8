import type { SidecarProcess } from "../../support/sidecar-process.js";
import type { CreateRecord } from "./histories.js";
import { historyTime } from "./wire-history.js";

/** Calls `create` with 1, 2 …, through all lives of the sidecar, and keeps what it was told. */
export class ApiCaller {
	readonly records: CreateRecord[] = [];
	readonly #sidecar: () => SidecarProcess;
	#next = 1;
	#isStopped = true;
	#lanes: Promise<void>[] = [];

	/** `sidecar`: the one that serves now. */
	constructor(sidecar: () => SidecarProcess) {
		this.#sidecar = sidecar;
	}

	/** Keeps so many calls going, each `everyMs` after the one before at the earliest. */
	start(lanes: number, everyMs = 5): void {
		this.#isStopped = false;
		this.#lanes = Array.from({ length: lanes }, async () => {
			while (!this.#isStopped) {
				const { answer } = await this.call();
				await new Promise((resolve) => setTimeout(resolve, answer === "none" ? 50 : everyMs));
			}
		});
	}

	/** Resolves when the last call is answered. */
	async stop(): Promise<void> {
		this.#isStopped = true;
		await Promise.all(this.#lanes);
	}

	/** One call. */
	async call(): Promise<CreateRecord> {
		const number = this.#next++;
		const at = historyTime();
		const answer = await this.#answer(number);
		const record = { id: String(number), at, answeredAt: historyTime(), answer };
		this.records.push(record);
		return record;
	}

	async #answer(number: number): Promise<CreateRecord["answer"]> {
		try {
			const request = { operation: "create", data: number, metadata: { topic: "out/x" } };
			const response = await this.#sidecar().create("orders", request, { signal: AbortSignal.timeout(30_000) });
			const text = await response.text();
			if (response.status === 204) return "success";
			if (text.includes(": not sent: ")) return "not sent";
			if (text.includes(": outcome unknown: ")) return "outcome unknown";
			throw new Error(`create answered ${response.status} ${text}`);
		} catch (error) {
			// Nobody listens, or the connection broke: fetch says so by a TypeError.
			if (error instanceof TypeError || (error as Error).message.includes("does not listen yet")) return "none";
			throw error;
		}
	}
}
