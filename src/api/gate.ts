import type { IncomingMessage, ServerResponse } from "node:http";
import type { Authentication } from "./authentication.js";
import type { BrowserDefence } from "./browser-defence.js";
import { answerNoContent, answerText } from "./http-answer.js";
import { parseTarget } from "./request-target.js";

const MAX_HEADERS = 100;

/** What every request passes before it is routed and before its body is read. */
export class Gate {
	readonly #authentication: Authentication;
	readonly #browserDefence: BrowserDefence;
	readonly #anonymous = new WeakSet<IncomingMessage>();

	constructor(authentication: Authentication, browserDefence: BrowserDefence) {
		this.#authentication = authentication;
		this.#browserDefence = browserDefence;
	}

	/** True when the request may be routed; its `url` is then canonical. False when it has its answer. */
	admits(request: IncomingMessage, response: ServerResponse): boolean {
		const fault = headerFault(request);
		if (fault !== undefined) return refuse(request, response, fault.status, fault.text);
		const refusal = this.#browserDefence.check(request);
		if (refusal !== undefined) return refuse(request, response, refusal.status, refusal.text);
		if (request.headers.origin !== undefined && this.#isPreflight(request, response)) return false;
		if (!this.#authentication.isAuthentic(request)) {
			if (!this.#authentication.isExempt(request)) return refuse(request, response, 401, "invalid api token");
			this.#anonymous.add(request);
		}
		const target = parseTarget(request.url ?? "");
		if ("refused" in target) return refuse(request, response, 400, target.refused);
		request.url = target.query === "" ? target.path : `${target.path}?${target.query}`;
		return true;
	}

	/** True when a token is set and this request did not show it. */
	isAnonymous(request: IncomingMessage): boolean {
		return this.#anonymous.has(request);
	}

	/** Adds what a page of an allowed origin needs; true when the request was a preflight and is answered. */
	#isPreflight(request: IncomingMessage, response: ServerResponse): boolean {
		const origin = this.#browserDefence.allowedOrigin(request);
		if (origin === undefined) return false;
		response.setHeader("Access-Control-Allow-Origin", origin);
		response.setHeader("Vary", "Origin");
		if (request.method !== "OPTIONS") return false;
		response.setHeader("Access-Control-Allow-Methods", "GET, POST, PUT");
		response.setHeader(
			"Access-Control-Allow-Headers",
			"content-type, dapr-api-token, traceparent, tracestate, baggage",
		);
		answerNoContent(request, response);
		return true;
	}
}

function headerFault(request: IncomingMessage): { readonly status: number; readonly text: string } | undefined {
	const { rawHeaders, headers } = request;
	if (rawHeaders.length > 2 * MAX_HEADERS) return { status: 431, text: `more than ${MAX_HEADERS} headers` };
	const encoding = headers["transfer-encoding"];
	if (encoding !== undefined) {
		if (headers["content-length"] !== undefined)
			return { status: 400, text: "both Content-Length and Transfer-Encoding" };
		if (encoding.toLowerCase() !== "chunked") return { status: 400, text: "a Transfer-Encoding other than chunked" };
	}
	let hosts = 0;
	for (let i = 0; i < rawHeaders.length; i += 2) {
		if (rawHeaders[i]?.length === 4 && rawHeaders[i]?.toLowerCase() === "host") hosts++;
	}
	return hosts > 1 ? { status: 400, text: "more than one Host" } : undefined;
}

function refuse(request: IncomingMessage, response: ServerResponse, status: number, text: string): false {
	answerText(request, response, status, text);
	return false;
}
