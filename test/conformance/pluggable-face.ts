import type { ServiceError } from "@grpc/grpc-js";
import { status } from "@grpc/grpc-js";
import { formatMqtt3Metadata } from "../../src/bindings/mqtt3-metadata.js";
import { PluggableServer, socketPath } from "../../src/pluggable/pluggable-server.js";
import { Daprd } from "../support/daprd.js";
import { eventually } from "../support/eventually.js";
import { tempFolder } from "../support/temp-folder.js";
import type { CreateOutcome, Face } from "./face.js";
import { FunctionApp, isAccepted } from "./function-app.js";

/** The component behind its socket, with daprd's side played on the other end. */
export const pluggableFace: Face = {
	name: "pluggable",
	takesJson: true,
	longestTopic: 65_535,
	takesLoneSurrogates: false,
	// daprd's limit, less what goes with it.
	largestPayload: 4 * 2 ** 20 - 1_024,
	async start(options, { script = {}, graceMs }) {
		const app = new FunctionApp(script);
		const givenUp = new AbortController();
		const folder = await tempFolder();
		const server = new PluggableServer({
			folder: folder.path,
			names: ["mqtt3"],
			onReport: () => {},
			onBug: (error) => queueMicrotask(() => Promise.reject(error)),
		});
		await server.listen();
		const directions = options.direction ?? ["input", "output"];
		const [only] = directions;
		const daprd = await Daprd.start({
			socket: socketPath(folder.path, "mqtt3"),
			properties: formatMqtt3Metadata(options),
			...(directions.length === 1 && only !== undefined && { direction: only }),
			async app({ data, metadata, contentType }) {
				const { topic = "", retained, qos = "1", attempt = "1" } = metadata;
				const received = {
					topic,
					payload: data,
					retained: retained === "true",
					qos: Number(qos),
					attempt: Number(attempt),
					contentType,
				};
				const answer = await app.receive(received, givenUp.signal).catch(() => 500);
				// As daprd words it.
				return isAccepted(answer)
					? undefined
					: `fails to send binding event to http app channel, status code: ${answer} body: `;
			},
		});
		await eventually(() => daprd.ping(only === "output" ? "output" : "input"));
		let isStopped = false;
		const stop = async (ms: number) => {
			if (isStopped) return true;
			isStopped = true;
			const isDrained = await server.drain(ms === 0 ? AbortSignal.abort() : AbortSignal.timeout(ms));
			await server.close();
			givenUp.abort();
			await daprd[Symbol.asyncDispose]();
			await folder[Symbol.asyncDispose]();
			return isDrained;
		};
		return {
			events: () => app.events,
			answer: async (next) => app.answer(next),
			create: ({ operation = "create", data = "", metadata = {} }) =>
				outcomeOfCall(daprd.invoke({ operation, data: Buffer.from(data), metadata })),
			reasons: async () => server.instances.get("orders").health(),
			stop: () => stop(graceMs),
			[Symbol.asyncDispose]: async () => void (await stop(0)),
		};
	},
};

async function outcomeOfCall(call: Promise<unknown>): Promise<CreateOutcome> {
	try {
		await call;
		return { kind: "created" };
	} catch (error) {
		const { code, details: message } = error as ServiceError;
		if (code === status.FAILED_PRECONDITION || /does not support operation/.test(message)) {
			return { kind: "not there", message };
		}
		if (code === status.INVALID_ARGUMENT) return { kind: "refused", message };
		if (code === status.UNAVAILABLE || code === status.RESOURCE_EXHAUSTED) return { kind: "not sent", message };
		if (code === status.DEADLINE_EXCEEDED) return { kind: "outcome unknown", message };
		throw error;
	}
}
