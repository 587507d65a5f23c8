import { expect } from "vitest";
import { texts } from "../../integration/sidecar/line.js";
import { eventually } from "../../support/eventually.js";
import { fault } from "../support/fault.js";
import { startFaultRun } from "../support/fault-run.js";
import { pubAcks, startScriptedLine } from "../support/scripted-line.js";

fault(
	{
		rows: ["S-30"],
		injected: "ordering: topic; the first message of topic A fails three times; A2, A3 and B1 to B9 follow",
	},
	"A2 waits for the end of A1, B flows; B is acknowledged meanwhile, A in its order",
	async ({ seen }) => {
		await using line = await startScriptedLine({
			app: { rules: [{ payloads: ["A1"], status: 500, times: 3 }] },
			fields: { ordering: "topic", backOffMaxRetries: 5, backOffInterval: "300ms" },
		});
		const connection = await line.subscribed();
		const messages = ["A1", "A2", "A3", ...Array.from({ length: 9 }, (_, index) => `B${index + 1}`)];
		for (const [index, payload] of messages.entries()) {
			connection.publish(`in/${payload[0]}`, payload, { qos: 1, messageId: index + 1 });
		}
		await eventually(() => expect(texts(line.app.accepted()).filter((text) => text.startsWith("B"))).toHaveLength(9));
		expect(texts(line.app.requests()).filter((text) => text === "A2" || text === "A3")).toEqual([]);
		const order = await pubAcks(connection, 12);
		const named = order.map((id) => messages[id - 1]!);
		expect(named.filter((name) => name.startsWith("A"))).toEqual(["A1", "A2", "A3"]);
		expect(named.filter((name) => name.startsWith("B"))).toEqual(messages.slice(3));
		const ofA = texts(line.app.requests()).filter((text) => text.startsWith("A"));
		expect(ofA).toEqual(["A1", "A1", "A1", "A1", "A2", "A3"]);
		seen(`PUBACKs ${named.join(" ")}; calls of A: ${ofA.join(" ")}`);
	},
);

fault(
	{
		rows: ["S-30"],
		injected:
			"ordering: topic over 20 topics with an app of random delays, of which every tenth answer fails, and three resets",
	},
	"per topic the app's first calls come in the broker's order, through failures and reconnects (I14)",
	async ({ seen }) => {
		await using run = await startFaultRun({
			seed: 30,
			topics: 20,
			app: { delayMs: [0, 20], rules: [{ pattern: "^[0-9]*7\\b", status: 500, times: 1, delayMs: 5 }] },
			fields: { ordering: "topic", backOffMaxRetries: 5, backOffInterval: "50ms" },
		});
		for (let round = 1; round <= 3; round++) {
			run.publisher.burst(200);
			await run.waitForAccepted(round * 120);
			run.proxy.reset();
		}
		seen(await run.verify({ messages: 600, creates: 0 }));
	},
	60_000,
);
