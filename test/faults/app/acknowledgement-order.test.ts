import { expect } from "vitest";
import { reasons } from "../../integration/sidecar/component.js";
import { numbers, texts } from "../../integration/sidecar/line.js";
import { fault } from "../support/fault.js";
import { startFaultRun } from "../support/fault-run.js";
import { pubAcks, startScriptedLine } from "../support/scripted-line.js";

fault(
	{
		rows: ["F-40"],
		injected: "an app that answers 400 messages in any order, after 0 to 300 ms each, 16 at once",
		scale: "0 to 300 ms instead of 0 to 5 s",
	},
	"acknowledgements leave in the order of arrival all the same, each after its own acceptance",
	async ({ seen }) => {
		await using run = await startFaultRun({
			seed: 40,
			broker: { maxInflightMessages: 0 },
			app: { delayMs: [0, 300] },
			fields: { maxInFlight: 16 },
		});
		run.publisher.burst(400);
		await run.waitForAccepted(400, 30_000);
		const order = texts(run.app.accepted());
		expect(order, "they really came back in another order").not.toEqual(texts(run.app.requests()));
		expect(await reasons(run.sidecar)).toEqual([]);
		// The checker holds the order of PUBACKs on the wire against that of arrival (I4).
		run.fault("answers out of order");
		seen(await run.verify({ messages: 400, creates: 0 }));
	},
	60_000,
);

/** Five messages whose handlers end 5, 4, 3, 2, 1. */
const REVERSED = {
	rules: numbers(5, 1).map((payload) => ({ payloads: [payload], delayMs: (6 - Number(payload)) * 80 })),
};

fault(
	{ rows: ["S-31", "F-40"], injected: "handlers that end 5, 4, 3, 2, 1" },
	"PUBACKs leave 1, 2, 3, 4, 5",
	async ({ seen }) => {
		await using line = await startScriptedLine({ app: REVERSED });
		const connection = await line.subscribed();
		for (const id of [1, 2, 3, 4, 5]) connection.publish("in/a", String(id), { qos: 1, messageId: id });
		expect(await pubAcks(connection, 5)).toEqual([1, 2, 3, 4, 5]);
		expect(texts(line.app.accepted())).toEqual(["5", "4", "3", "2", "1"]);
		seen("accepted 5, 4, 3, 2, 1; acknowledged 1, 2, 3, 4, 5");
	},
);

for (const [ackOrder, expected] of [
	["arrival", [1, 2, 4, 5, 3]],
	["strict", [1, 2, 3, 4, 5]],
] as const) {
	fault(
		{ rows: ["S-31"], injected: `ackOrder: ${ackOrder}; the third message fails once and is tried again after 800 ms` },
		`PUBACKs leave ${expected.join(", ")}`,
		async ({ seen }) => {
			const third = { payloads: ["3"], status: 500, times: 1 };
			await using line = await startScriptedLine({
				app: { rules: [third, ...REVERSED.rules.filter(({ payloads }) => payloads[0] !== "3")] },
				fields: { ackOrder, backOffMaxRetries: 3, backOffInterval: "800ms" },
			});
			const connection = await line.subscribed();
			for (const id of [1, 2, 3, 4, 5]) connection.publish("in/a", String(id), { qos: 1, messageId: id });
			expect(await pubAcks(connection, 2)).toEqual(expected.slice(0, 2));
			const early = expected.slice(2, ackOrder === "arrival" ? 4 : 2);
			expect(await pubAcks(connection, early.length)).toEqual(early);
			expect(texts(line.app.accepted())).not.toContain("3");
			expect(await pubAcks(connection, expected.length - 2 - early.length)).toEqual(expected.slice(2 + early.length));
			expect(line.app.requests().filter(({ payload }) => String(payload) === "3")).toHaveLength(2);
			seen(`${expected.join(", ")}, the third after its second attempt`);
		},
	);
}
