import type { SidecarProcess } from "../../support/sidecar-process.js";
import type { CreateRecord } from "./histories.js";
import { historyTime } from "./wire-history.js";

/** One call of `create` with a number as its data; resolves with what its caller was told. */
export type Create = (number: number) => Promise<CreateRecord["answer"]>;

/** `create` over HTTP. `sidecar`: the one that serves now. */
export function createOverHttp(sidecar: () => SidecarProcess): Create {
	return async (number) => {
		try {
			const request = { operation: "create", data: number, metadata: { topic: "out/x" } };
			const response = await sidecar().create("orders", request, { signal: AbortSignal.timeout(30_000) });
			const text = await response.text();
			if (response.status === 204) return "success";
			return toldBy(text) ?? unforeseen(`create answered ${response.status} ${text}`);
		} catch (error) {
			// Nobody listens, or the connection broke: fetch says so by a TypeError.
			if (error instanceof TypeError || (error as Error).message.includes("does not listen yet")) return "none";
			throw error;
		}
	};
}

/** What an error's words say became of the message; undefined when nothing. */
export function toldBy(words: string): "not sent" | "outcome unknown" | undefined {
	if (words.includes("not sent: ")) return "not sent";
	return words.includes("outcome unknown: ") ? "outcome unknown" : undefined;
}

function unforeseen(words: string): never {
	throw new Error(words);
}

/** Calls `create` with 1, 2 …, through all lives of what serves it, and keeps what it was told. */
export class ApiCaller {
	readonly records: CreateRecord[] = [];
	readonly #create: Create;
	#next = 1;
	#isStopped = true;
	#lanes: Promise<void>[] = [];

	constructor(create: Create) {
		this.#create = create;
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
		const answer = await this.#create(number);
		const record = { id: String(number), at, answeredAt: historyTime(), answer };
		this.records.push(record);
		return record;
	}
}
