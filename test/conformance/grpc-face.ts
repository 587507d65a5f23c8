import type { status } from "@grpc/grpc-js";
import type { Mqtt3Options } from "../../src/bindings/mqtt3-options.js";
import type { AppScript } from "../support/app-script.js";
import { eventually } from "../support/eventually.js";
import { GrpcCaller } from "../support/grpc-caller.js";
import { startSidecar } from "../support/sidecar-process.js";
import { type GrpcAnswer, startGrpcApp } from "../support/start-grpc-app.js";
import type { CreateOutcome, Face } from "./face.js";
import { FunctionApp, isAccepted } from "./function-app.js";
import { componentText, type Ready } from "./sidecar-face.js";

/** The program `mqtt3-binding run` between the broker and an app that speaks gRPC both ways. */
export const grpcFace: Face = {
	name: "sidecar over gRPC",
	takesJson: false,
	longestTopic: 65_535,
	takesLoneSurrogates: false,
	async start(options: Mqtt3Options, { script = {}, graceMs }) {
		const functions = new FunctionApp(script);
		const givenUp = new AbortController();
		const app = await startGrpcApp(async ({ data, metadata }): Promise<GrpcAnswer> => {
			const { topic = "", retained, qos = "1", attempt = "1" } = metadata;
			const received = {
				topic,
				payload: data,
				retained: retained === "true",
				qos: Number(qos),
				attempt: Number(attempt),
			};
			const answer = await functions.receive(received, givenUp.signal).catch(() => undefined);
			if (answer === undefined) return "hang";
			return isAccepted(answer) ? "OK" : { code: GRPC_CODES[answer] ?? "UNKNOWN", details: `status ${answer}` };
		});
		const sidecar = await startSidecar({
			components: componentText(withCodes(options)),
			appPort: app.port,
			args: [
				...["--app-protocol", "grpc", "--dapr-grpc-port", "0"],
				...["--dapr-graceful-shutdown-seconds", String(graceMs / 1_000)],
			],
		});
		await eventually(
			async () => {
				const { status: code, body } = await sidecar.ready();
				if (code !== 200) throw new Error(`not ready: ${JSON.stringify(body)}`);
			},
			{ timeoutMs: 15_000 },
		);
		const caller = new GrpcCaller(await sidecar.grpcTarget());
		return {
			events: () => functions.events,
			answer: async (next: AppScript) => functions.answer(next),
			create: async ({ operation = "create", data = "", metadata = {} }): Promise<CreateOutcome> => {
				const { code, details } = await caller.create({
					name: "orders",
					operation,
					data: Buffer.from(data),
					metadata: { ...metadata },
				});
				return outcomeOfStatus(code, details);
			},
			reasons: async () => ((await sidecar.ready()).body as Ready).reasons,
			stop: async () => {
				const { code } = await sidecar.stop();
				if (code !== 0 && code !== 1) throw new Error(`exit code ${code}`);
				return code === 0;
			},
			[Symbol.asyncDispose]: async () => {
				givenUp.abort();
				caller[Symbol.dispose]();
				await sidecar[Symbol.asyncDispose]();
				await app[Symbol.asyncDispose]();
			},
		};
	},
};

/** What an app over gRPC says where one over HTTP has a status. */
const GRPC_CODES: Readonly<Record<number, keyof typeof status>> = {
	400: "INVALID_ARGUMENT",
	404: "NOT_FOUND",
	422: "FAILED_PRECONDITION",
	500: "INTERNAL",
	503: "UNAVAILABLE",
};

/** What stands for 4xx. */
const CLIENT_FAULTS = Object.entries(GRPC_CODES).flatMap(([code, name]) => (code.startsWith("4") ? name : []));

/** The lists of statuses, in codes. */
function withCodes(options: Mqtt3Options): Mqtt3Options {
	const codes = (list: readonly string[]) =>
		list.flatMap((entry) => (entry === "4xx" ? CLIENT_FAULTS : (GRPC_CODES[Number(entry)] ?? entry)));
	const dropOn = options.dropOn && codes(options.dropOn);
	// There are no classes of codes, so none can stand in both lists.
	const deadLetterOn = options.deadLetterOn && codes(options.deadLetterOn).filter((code) => !dropOn?.includes(code));
	return { ...options, ...(dropOn && { dropOn }), ...(deadLetterOn && { deadLetterOn }) };
}

function outcomeOfStatus(code: string, details: string): CreateOutcome {
	if (code === "OK") return { kind: "created" };
	const message = /^error invoking output binding \S+: (.*)$/s.exec(details)?.[1];
	if (message === undefined) throw new Error(`${code} ${details}`);
	if (code === "INVALID_ARGUMENT") return { kind: "refused", message };
	if (code === "UNAVAILABLE" || code === "RESOURCE_EXHAUSTED") return { kind: "not sent", message };
	if (code === "DEADLINE_EXCEEDED") return { kind: "outcome unknown", message };
	if (/^couldn't find output binding|does not support operation/.test(message)) return { kind: "not there", message };
	throw new Error(`${code} ${details}`);
}
