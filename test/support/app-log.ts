import { closeSync, openSync, readSync } from "node:fs";
import { eventually } from "./eventually.js";

/** A request that the app got. */
export interface AppRequest {
	readonly method: string;
	readonly path: string;
	/** By lower-case name; bytes beyond ASCII as Latin-1, as Node gives them. */
	readonly headers: Readonly<Record<string, string>>;
	readonly payload: Buffer;
	/** When it was complete, in milliseconds on this machine's monotonic clock, which all processes share. */
	readonly at: number;
	/** The status of the answer, once it was about to be complete. */
	readonly status?: number;
	/** When that was. */
	readonly answeredAt?: number;
}

type Entry =
	| { id: string; at: number; event: "received"; method: string; path: string; headers: string[]; payload: string }
	| { id: string; at: number; event: "answered"; status: number };

/** What an app wrote into its log file, through all its lives. */
export class AppLog {
	readonly #file: string;
	readonly #requests = new Map<string, AppRequest>();
	/** The different payloads that were accepted, as Latin-1. */
	readonly #payloads = new Set<string>();
	#offset = 0;
	#rest = Buffer.alloc(0);

	constructor(file: string) {
		this.#file = file;
	}

	/** Every POST, in order of arrival. */
	requests(): AppRequest[] {
		return this.#all().filter(({ method }) => method === "POST");
	}

	/** Every OPTIONS. */
	probes(): AppRequest[] {
		return this.#all().filter(({ method }) => method === "OPTIONS");
	}

	/** The POSTs that were answered with 2xx, in order of their answers. */
	accepted(): AppRequest[] {
		return this.#all()
			.filter(isAccepted)
			.sort((one, other) => one.answeredAt! - other.answeredAt!);
	}

	/** Waits until at least `count` different payloads were accepted; resolves with all accepted requests. */
	async acceptedAtLeast(count: number, timeoutMs = 10_000): Promise<AppRequest[]> {
		return await eventually(
			() => {
				this.#read();
				const { size } = this.#payloads;
				if (size < count) throw new Error(`the app accepted ${size} of ${count} payloads`);
				return this.accepted();
			},
			{ timeoutMs, everyMs: 25 },
		);
	}

	#all(): AppRequest[] {
		this.#read();
		return [...this.#requests.values()];
	}

	#read(): void {
		const file = openSync(this.#file, "a+");
		try {
			const chunk = Buffer.alloc(1024 * 1024);
			for (;;) {
				const length = readSync(file, chunk, 0, chunk.length, this.#offset);
				if (length === 0) return;
				this.#offset += length;
				this.#take(chunk.subarray(0, length));
			}
		} finally {
			closeSync(file);
		}
	}

	/** The last line may be half written, or for ever half where the app was killed. */
	#take(chunk: Buffer): void {
		const bytes = Buffer.concat([this.#rest, chunk]);
		const end = bytes.lastIndexOf("\n") + 1;
		this.#rest = bytes.subarray(end);
		for (const line of bytes.toString("utf8", 0, end).split("\n")) if (line) this.#enter(JSON.parse(line) as Entry);
	}

	#enter(entry: Entry): void {
		if (entry.event === "received") {
			const { at, method, path, headers, payload } = entry;
			this.#requests.set(entry.id, {
				at,
				method,
				path,
				headers: byName(headers),
				payload: Buffer.from(payload, "base64"),
			});
		} else {
			const request = this.#requests.get(entry.id);
			if (!request) return;
			const answered = { ...request, status: entry.status, answeredAt: entry.at };
			this.#requests.set(entry.id, answered);
			if (isAccepted(answered)) this.#payloads.add(request.payload.toString("latin1"));
		}
	}
}

function isAccepted({ method, status = 0 }: AppRequest): boolean {
	return method === "POST" && status >= 200 && status < 300;
}

function byName(rawHeaders: readonly string[]): Record<string, string> {
	const headers: Record<string, string> = {};
	for (let at = 0; at < rawHeaders.length; at += 2) headers[rawHeaders[at]!.toLowerCase()] = rawHeaders[at + 1]!;
	return headers;
}
