import { createBinding } from "../../src/bindings/typed-binding.js";
import type { QoS } from "../../src/mqtt/packet.js";
import { outcomeOf } from "./create-outcome.js";
import type { Face } from "./face.js";
import { FunctionApp, isAccepted } from "./function-app.js";

/** `createBinding` and a function that resolves or rejects. */
export const libraryFace: Face = {
	name: "library",
	takesJson: false,
	longestTopic: 65_535,
	async start(options, { script = {}, graceMs }) {
		const app = new FunctionApp(script);
		const binding = createBinding(options);
		if (options.direction?.includes("input") !== false) {
			await binding.receive(async ({ topic, data, retained, qos, attempt }, signal) => {
				const status = await app.receive({ topic, payload: Buffer.from(data), retained, qos, attempt }, signal);
				if (!isAccepted(status)) throw Object.assign(new Error(`status ${status}`), { status });
			});
		}
		await binding.ready();
		return {
			events: () => app.events,
			answer: async (next) => app.answer(next),
			create: ({ data, metadata: { topic, retain, qos } = {} }) =>
				outcomeOf(
					binding.create({
						data,
						topic,
						// What the types forbid must be refused all the same: not everybody compiles.
						retain: retain === "true" || (retain === "false" ? false : (retain as boolean | undefined)),
						qos: qos === undefined ? undefined : (Number(qos) as QoS),
					}),
				),
			reasons: async () => binding.health(),
			stop: () => binding.close({ graceMs }),
			[Symbol.asyncDispose]: async () => void (await binding.close({ graceMs: 0 })),
		};
	},
};
