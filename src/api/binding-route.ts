import type { IncomingMessage, ServerResponse } from "node:http";
import type { InvokeResponse } from "../bindings/binding.js";
import { baggageFault } from "./baggage.js";
import { parseCreateRequest } from "./create-request.js";
import { answer, answerError, answerNoContent } from "./http-answer.js";
import type { RouteContext } from "./http-routes.js";
import { readBody } from "./request-body.js";
import { daprError, invokeError, isBug } from "./status.js";

/** As daprd says it. */
const UNREADABLE = "failed deserializing HTTP body: ";
const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]{1,128}$/;

/** Serves `POST|PUT /v1.0/bindings/{name}`. Never rejects. */
export async function invokeBinding(
	{ sidecar, budget, signals, maxBodySize, onError }: RouteContext,
	request: IncomingMessage,
	response: ServerResponse,
	name: string,
): Promise<void> {
	try {
		budget.enter();
	} catch (error) {
		return answerError(request, response, invokeError(name, error, UNREADABLE));
	}
	try {
		const body = await readBody(request, response, maxBodySize, budget);
		if (body === undefined) return;
		const fault = request.headers.baggage === undefined ? undefined : baggageFault(String(request.headers.baggage));
		if (fault !== undefined) {
			return answerError(request, response, daprError("ERR_MALFORMED_REQUEST", `invalid baggage header: ${fault}`));
		}
		const { operation, data, metadata } = parseCreateRequest(body);
		const invocation = { operation, data, dataIsJson: true, metadata };
		const result = await sidecar.invoke(name, invocation, signals.of(request.socket));
		if (result === undefined) answerNoContent(request, response);
		else answerResult(request, response, result);
	} catch (error) {
		if (isBug(error)) onError(error);
		answerError(request, response, invokeError(name, error, UNREADABLE));
	} finally {
		budget.leave();
	}
}

function answerResult(request: IncomingMessage, response: ServerResponse, result: InvokeResponse): void {
	const headers: string[] = [];
	for (const [key, value] of Object.entries(result.metadata)) {
		if (HEADER_NAME.test(key)) headers.push(`metadata.${key}`, visible(value));
	}
	answer(request, response, 200, result.contentType ?? "application/json", result.data, headers);
}

/** A header value that can't break the answer: visible ASCII and blanks as they are, else percent-encoded. */
function visible(value: string): string {
	return /^[\x20-\x7e]*$/.test(value) ? value : encodeURIComponent(Buffer.from(value).toString());
}
