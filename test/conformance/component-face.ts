import { ACCEPTED } from "../../src/bindings/binding.js";
import { Mqtt3Binding } from "../../src/bindings/mqtt3-binding.js";
import { formatMqtt3Metadata } from "../../src/bindings/mqtt3-metadata.js";
import { eventually } from "../support/eventually.js";
import { outcomeOf } from "./create-outcome.js";
import type { Face } from "./face.js";
import { FunctionApp, isAccepted } from "./function-app.js";

/** The component as a host uses it: metadata, a ReadHandler with verdicts, requests with JSON. */
export const componentFace: Face = {
	name: "component",
	takesJson: true,
	longestTopic: 65_535,
	async start(options, { script = {}, graceMs }) {
		const app = new FunctionApp(script);
		const binding = new Mqtt3Binding();
		await binding.init({ name: "orders", properties: formatMqtt3Metadata(options) });
		binding.start();
		if (binding.reads !== "never") {
			await binding.read(async ({ data, metadata, contentType }, signal) => {
				const { topic = "", retained, qos = "1", attempt = "1" } = metadata;
				const status = await app.receive(
					{
						topic,
						payload: Buffer.from(data),
						retained: retained === "true",
						qos: Number(qos),
						attempt: Number(attempt),
						contentType,
						route: binding.route,
					},
					signal,
				);
				return isAccepted(status) ? ACCEPTED : { kind: "failed", error: new Error(`status ${status}`), status };
			});
		}
		await eventually(() => binding.ping());
		const stop = async (ms: number) => {
			const isDrained = await binding.drain(ms === 0 ? AbortSignal.abort() : AbortSignal.timeout(ms));
			await binding.close();
			return isDrained;
		};
		return {
			events: () => app.events,
			answer: async (next) => app.answer(next),
			create: ({ operation = "create", data = "", metadata = {} }) =>
				outcomeOf(binding.invoke({ operation, data: Buffer.from(data), dataIsJson: true, metadata })),
			reasons: async () => binding.health(),
			stop: () => stop(graceMs),
			[Symbol.asyncDispose]: async () => void (await stop(0)),
		};
	},
};
