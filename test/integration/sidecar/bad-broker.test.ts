import { describe, expect, onTestFinished, test } from "vitest";
import { startApp } from "../../support/app-process.js";
import { eventually } from "../../support/eventually.js";
import { packetCorpus } from "../../support/packet-corpus.js";
import { type ScriptedBroker, startScriptedBroker } from "../../support/scripted-broker.js";
import { startSidecar } from "../../support/sidecar-process.js";
import { component, logged, untilReady } from "./component.js";

/** One of each packet type and clause. */
const MALFORMED = [
	...new Map(
		packetCorpus
			.filter(({ from, clause }) => from === "server" && clause !== undefined)
			.map((one) => [`${one.bytes[0]! >> 4} ${one.clause}`, one]),
	).values(),
];

async function startScripted(): Promise<ScriptedBroker> {
	const broker = await startScriptedBroker();
	onTestFinished(() => broker[Symbol.asyncDispose]());
	return broker;
}

describe("a broker that breaks the protocol", () => {
	test(`F-53: ${MALFORMED.length} malformed packets: each ends its connection, the log names the clause, the next connection is fine`, async () => {
		await using app = await startApp({ end: "hang" });
		const brokers = await Promise.all(MALFORMED.map(startScripted));
		const components = brokers.map(({ url }, index) => component({ name: `case-${index}`, url, route: "/events" }));
		await using sidecar = await startSidecar({ components: components.join(""), appPort: app.port });
		await Promise.all(
			MALFORMED.map(async ({ name, bytes, clause }, index) => {
				const connection = await brokers[index]!.accept(15_000);
				await connection.greet();
				await connection.grant();
				connection.publish("in/a", "unanswered", { qos: 1, messageId: 9 });
				connection.sendRaw(bytes);
				await connection.closed;
				expect(
					connection.received.map(({ packet }) => packet.cmd),
					name,
				).toEqual(["connect", "subscribe"]);
				const lines = () =>
					logged(sidecar, "disconnected").filter((line) => line.includes(` component=case-${index} `));
				await eventually(() => expect(lines(), name).toHaveLength(1));
				expect(lines()[0], name).toMatch(
					/^time=\S+ level=warning msg="tcp:\/\/127\.0\.0\.1:\d+: the broker violated the protocol: /,
				);
				expect(lines()[0], name).toContain(`[${clause}]; next attempt in `);
				const next = await brokers[index]!.accept(15_000);
				await next.greet({ sessionPresent: true });
				await next.grant();
			}),
		);
		await untilReady(sidecar);
	}, 60_000);
});
