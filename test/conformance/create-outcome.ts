import { ConfigurationError, NotFoundError, PublishError, StateError } from "../../src/errors.js";
import type { CreateOutcome } from "./face.js";

/** What a call in this process came to. Rejects with what no caller is promised. */
export async function outcomeOf(call: Promise<unknown>): Promise<CreateOutcome> {
	try {
		await call;
		return { kind: "created" };
	} catch (error) {
		if (error instanceof ConfigurationError) return { kind: "refused", message: error.message };
		if (error instanceof NotFoundError || error instanceof StateError) {
			return { kind: "not there", message: error.message };
		}
		if (error instanceof PublishError) {
			return { kind: error.outcome === "not-sent" ? "not sent" : "outcome unknown", message: error.message };
		}
		throw error;
	}
}

/** What an HTTP answer of the sidecar means. Rejects with what no caller is promised. */
export async function outcomeOfAnswer(answer: Response): Promise<CreateOutcome> {
	const text = await answer.text();
	if (answer.status === 204) return { kind: "created" };
	const { errorCode, message } = JSON.parse(text) as { readonly errorCode: string; readonly message: string };
	const cause = /^error invoking output binding \S+: (.*)$/s.exec(message)?.[1];
	if (errorCode !== "ERR_INVOKE_OUTPUT_BINDING" || cause === undefined) throw new Error(`${answer.status} ${text}`);
	if (answer.status === 400) return { kind: "refused", message: cause };
	if (/^not sent: /.test(cause)) return { kind: "not sent", message: cause };
	if (/^outcome unknown: /.test(cause)) return { kind: "outcome unknown", message: cause };
	if (/^couldn't find output binding|does not support operation/.test(cause)) {
		return { kind: "not there", message: cause };
	}
	throw new Error(`${answer.status} ${text}`);
}
