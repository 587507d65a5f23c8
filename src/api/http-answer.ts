import type { IncomingMessage, ServerResponse } from "node:http";
import type { ApiError } from "./status.js";

/** The headers of every answer, as Node takes them fastest: names and values in turn. */
const SECURITY_HEADERS: readonly string[] = [
	"X-Content-Type-Options",
	"nosniff",
	"Cache-Control",
	"no-store",
	"Cross-Origin-Resource-Policy",
	"same-origin",
];

/** How much of a body that nobody wants is read, so that the caller sees the answer rather than a reset. */
const DRAIN_BYTES = 64 * 1024;
const DRAIN_MS = 1_000;

/** Answers 204. */
export function answerNoContent(request: IncomingMessage, response: ServerResponse): void {
	send(request, response, 204, SECURITY_HEADERS, "");
}

/** Answers with a body; `headers` are names and values in turn. If the request's body was not read, closes the connection behind it. */
export function answer(
	request: IncomingMessage,
	response: ServerResponse,
	status: number,
	contentType: string,
	body: string | Uint8Array,
	headers: readonly string[] = [],
): void {
	send(
		request,
		response,
		status,
		[
			...SECURITY_HEADERS,
			"Content-Type",
			contentType,
			"Content-Length",
			String(typeof body === "string" ? Buffer.byteLength(body) : body.byteLength),
			...headers,
		],
		body,
	);
}

/** Answers with one line for people. */
export function answerText(request: IncomingMessage, response: ServerResponse, status: number, text: string): void {
	answer(request, response, status, "text/plain; charset=utf-8", `${text}\n`);
}

/** Answers with a document. */
export function answerJson(
	request: IncomingMessage,
	response: ServerResponse,
	status: number,
	document: unknown,
): void {
	answer(request, response, status, "application/json", escapeHtml(JSON.stringify(document)));
}

/** Answers with Dapr's error body. */
export function answerError(request: IncomingMessage, response: ServerResponse, error: ApiError): void {
	const { status, errorCode, message, retryAfter } = error;
	const headers = retryAfter === undefined ? [] : ["Retry-After", String(retryAfter)];
	answer(request, response, status, "application/json", escapeHtml(JSON.stringify({ errorCode, message })), headers);
}

/** JSON text as Go's encoder writes it: no character that HTML or JavaScript gives a meaning. */
export function escapeHtml(json: string): string {
	return json.replace(/[<>&\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function send(
	request: IncomingMessage,
	response: ServerResponse,
	status: number,
	headers: readonly string[],
	body: string | Uint8Array,
): void {
	if (hasUnreadBody(request)) {
		sendAndClose(request, response, status, headers, body);
		return;
	}
	response.writeHead(status, headers as string[]);
	response.end(body);
}

function hasUnreadBody(request: IncomingMessage): boolean {
	if (request.complete) return false;
	const length = request.headers["content-length"];
	return (length !== undefined && length !== "0") || request.headers["transfer-encoding"] !== undefined;
}

/**
 * The answer is whole for the caller once it is written, but the response ends later: Node would close the socket at
 * once, and a close with unread bytes is a reset, which can overtake the answer.
 */
function sendAndClose(
	request: IncomingMessage,
	response: ServerResponse,
	status: number,
	headers: readonly string[],
	body: string | Uint8Array,
): void {
	response.writeHead(status, [...headers, "Connection", "close"]);
	response.flushHeaders();
	if (body.length > 0) response.write(body);
	let drained = 0;
	const destroy = () => request.socket.destroy();
	const deadline = setTimeout(destroy, DRAIN_MS).unref();
	request.on("data", (chunk: Buffer) => {
		drained += chunk.byteLength;
		if (drained > DRAIN_BYTES) request.pause();
	});
	request.once("end", () => response.end());
	response.once("close", () => clearTimeout(deadline));
	request.resume();
}
