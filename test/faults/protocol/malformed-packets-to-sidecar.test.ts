import { expect, onTestFinished } from "vitest";
import { component, logged, untilReady } from "../../integration/sidecar/component.js";
import { startApp } from "../../support/app-process.js";
import { eventually } from "../../support/eventually.js";
import { packetCorpus } from "../../support/packet-corpus.js";
import { type ScriptedBroker, startScriptedBroker } from "../../support/scripted-broker.js";
import { startSidecar } from "../../support/sidecar-process.js";
import { fault } from "../support/fault.js";

const wrong = packetCorpus.filter(({ from, clause }) => from === "server" && clause !== undefined);

/** One of each packet type and clause. */
const MALFORMED = [...new Map(wrong.map((one) => [`${one.bytes[0]! >> 4} ${one.clause}`, one])).values()];

fault(
	{
		rows: ["F-53"],
		injected: `${MALFORMED.length} malformed packets, one of each type and clause, to a sidecar with a component each, whose app has a message in hand`,
	},
	"each ends its connection and no other, the log names the clause, nothing is acknowledged, the process lives and gets ready again",
	async ({ seen }) => {
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
		seen(`${MALFORMED.length} connections ended, each with its clause in one line of the log; ready again`);
	},
	60_000,
);

async function startScripted(): Promise<ScriptedBroker> {
	const broker = await startScriptedBroker();
	onTestFinished(() => broker[Symbol.asyncDispose]());
	return broker;
}
