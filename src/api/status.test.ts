import { describe, expect, test } from "vitest";
import { ConfigurationError, NotFoundError, PublishError, StateError, TimeoutError } from "../errors.js";
import { GrpcStatus } from "../grpc/grpc-status.js";
import { BodyTooLargeError, BusyError, invokeError, isBug, MalformedRequestError } from "./status.js";

const INVOKE = "ERR_INVOKE_OUTPUT_BINDING";
const PREFIX = "error invoking output binding orders: ";

describe("invokeError", () => {
	test.each<[string, unknown, number, keyof typeof GrpcStatus, string, string]>([
		[
			"a missing binding",
			new NotFoundError("no x", { kind: "binding", missing: "x" }),
			500,
			"INTERNAL",
			INVOKE,
			`${PREFIX}no x`,
		],
		["bad request metadata", new ConfigurationError('qos "3"'), 400, "INVALID_ARGUMENT", INVOKE, `${PREFIX}qos "3"`],
		[
			"not sent",
			new PublishError("gone", { outcome: "not-sent" }),
			500,
			"UNAVAILABLE",
			INVOKE,
			`${PREFIX}not sent: gone`,
		],
		[
			"unknown",
			new PublishError("gone", { outcome: "unknown" }),
			500,
			"DEADLINE_EXCEEDED",
			INVOKE,
			`${PREFIX}outcome unknown: gone`,
		],
		[
			"a deadline",
			new TimeoutError("late", { operation: "x", timeoutMs: 1 }),
			500,
			"INTERNAL",
			INVOKE,
			`${PREFIX}late`,
		],
		["a closed binding", new StateError("closed"), 500, "INTERNAL", INVOKE, `${PREFIX}closed`],
		["a bug", new TypeError("x is not a function of amqp://u:p@h"), 500, "INTERNAL", INVOKE, `${PREFIX}internal error`],
		["no error at all", "boom", 500, "INTERNAL", INVOKE, `${PREFIX}internal error`],
		[
			"bad JSON",
			new MalformedRequestError("no"),
			400,
			"INVALID_ARGUMENT",
			"ERR_MALFORMED_REQUEST",
			"failed deserializing HTTP body: no",
		],
		[
			"a large body",
			new BodyTooLargeError(9),
			400,
			"RESOURCE_EXHAUSTED",
			"ERR_MALFORMED_REQUEST",
			"failed deserializing HTTP body: body is larger than 9 bytes",
		],
	])("%s", (_what, error, status, grpcStatus, errorCode, message) => {
		expect(invokeError("orders", error, "failed deserializing HTTP body: ")).toEqual({
			status,
			grpcStatus: GrpcStatus[grpcStatus],
			errorCode,
			message,
		});
	});

	test("a request that can't be read is told so in the same words where nothing else is asked for", () => {
		expect(invokeError("orders", new MalformedRequestError("no")).message).toBe(`${PREFIX}no`);
	});

	test.each([
		["publishes", new PublishError("too many pending", { outcome: "not-sent", pending: true })],
		["requests", new BusyError("too many open requests")],
	])("too many %s: 503, and when to come back", (_what, error) => {
		expect(invokeError("orders", error)).toMatchObject({
			status: 503,
			grpcStatus: GrpcStatus.RESOURCE_EXHAUSTED,
			errorCode: INVOKE,
			retryAfter: 1,
		});
	});
});

test("only what is none of the project's errors is a bug", () => {
	expect(isBug(new TypeError())).toBe(true);
	expect(isBug(undefined)).toBe(true);
	expect(isBug(new StateError("closed"))).toBe(false);
	expect(isBug(new BusyError())).toBe(false);
	expect(isBug(new MalformedRequestError())).toBe(false);
});
