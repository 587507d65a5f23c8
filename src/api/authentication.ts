import { hash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { ConfigurationError } from "../errors.js";

/** Where the API token comes from. A file is read again every second; an unreadable or empty one leaves the last token valid. */
export type ApiToken = { readonly value: string } | { readonly file: string };

const HEADER = "dapr-api-token";
const REREAD_MS = 1_000;
/** No token needed, on exactly these targets. */
const EXEMPT: ReadonlySet<string> = new Set(["/v1.0/healthz", "/v1.0/healthz/outbound", "/v1.0/healthz/ready"]);

/** The metadata of a gRPC call, as far as it concerns us. */
export interface CallMetadata {
	get(name: string): readonly (string | Buffer)[];
	remove(name: string): void;
}

/** Knows whether a request carries the API token. Without a token every request does. */
export class Authentication {
	#digest: Buffer | undefined;
	#rereading: NodeJS.Timeout | undefined;

	/** Throws ConfigurationError when the file can't be read or is empty. An empty value is no token, as in Dapr. */
	constructor(token: ApiToken | undefined) {
		if (token === undefined) return;
		if ("value" in token) {
			if (token.value !== "") this.#digest = digest(Buffer.from(token.value));
			return;
		}
		this.#digest = digest(firstToken(token.file));
		this.#rereading = setInterval(() => void this.#reread(token.file), REREAD_MS).unref();
	}

	/** A token is set. */
	get isRequired(): boolean {
		return this.#digest !== undefined;
	}

	/** True when the request may pass without a token: a GET on one of the health paths, spelled exactly so. */
	isExempt(request: IncomingMessage): boolean {
		if (request.method !== "GET") return false;
		const url = request.url ?? "";
		const mark = url.indexOf("?");
		return EXEMPT.has(mark === -1 ? url : url.slice(0, mark));
	}

	/** True when there is no token to show, or exactly one header shows it. Takes the header away: nothing behind this sees it. */
	isAuthentic(request: IncomingMessage): boolean {
		if (this.#digest === undefined) return true;
		const shown = request.headers[HEADER];
		if (typeof shown !== "string") return false;
		delete request.headers[HEADER];
		// Node joins repeated headers with a comma, which a token may hold.
		if (!isAlone(request.rawHeaders)) return false;
		return timingSafeEqual(digest(Buffer.from(shown, "latin1")), this.#digest);
	}

	/** The same for a gRPC call: true when there is no token to show, or one value shows it. Takes the value away. No call is exempt. */
	isAuthenticCall(metadata: CallMetadata): boolean {
		const values = metadata.get(HEADER);
		if (values.length > 0) metadata.remove(HEADER);
		if (this.#digest === undefined) return true;
		const [shown] = values;
		// Node joins repeated headers with a comma here as well; then they are not the token.
		if (values.length !== 1 || typeof shown !== "string") return false;
		return timingSafeEqual(digest(Buffer.from(shown, "latin1")), this.#digest);
	}

	/** Stops reading the file. */
	close(): void {
		clearInterval(this.#rereading);
	}

	async #reread(file: string): Promise<void> {
		try {
			const token = trimmed(await readFile(file));
			if (token.length > 0) this.#digest = digest(token);
		} catch {
			// Rotation replaces the file: for a moment there may be none.
		}
	}
}

function firstToken(file: string): Buffer {
	const property = "DAPR_API_TOKEN_FILE";
	let token: Buffer;
	try {
		token = trimmed(readFileSync(file));
	} catch (cause) {
		throw new ConfigurationError(`DAPR_API_TOKEN_FILE: can't read "${file}"`, { cause, property });
	}
	if (token.length === 0) throw new ConfigurationError(`DAPR_API_TOKEN_FILE: "${file}" is empty`, { property });
	return token;
}

function trimmed(bytes: Buffer): Buffer {
	return Buffer.from(bytes.toString().trim());
}

function digest(token: Buffer): Buffer {
	// As text first: three times as fast as asking for a buffer.
	return Buffer.from(hash("sha256", token), "latin1");
}

function isAlone(rawHeaders: readonly string[]): boolean {
	let count = 0;
	for (let i = 0; i < rawHeaders.length; i += 2) {
		if (rawHeaders[i]?.length === HEADER.length && rawHeaders[i]?.toLowerCase() === HEADER) count++;
	}
	return count === 1;
}
