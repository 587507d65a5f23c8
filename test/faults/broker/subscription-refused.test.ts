import { expect, onTestFinished } from "vitest";
import { component, metric, type Reason, reasons, untilReady } from "../../integration/sidecar/component.js";
import { texts } from "../../integration/sidecar/line.js";
import { startApp } from "../../support/app-process.js";
import { eventually } from "../../support/eventually.js";
import { type ScriptedConnection, startScriptedBroker } from "../../support/scripted-broker.js";
import { startSidecar } from "../../support/sidecar-process.js";
import { fault } from "../support/fault.js";

const NAMES = ["first", "again", "lowered"] as const;

fault(
	{
		rows: ["F-54", "S-10", "S-11", "S-12"],
		injected:
			"three brokers: SUBACK 0x80 at the first SUBSCRIBE; 0x80 at the SUBSCRIBE after a restart; QoS 0 granted where 1 was asked; later all grant",
	},
	"not ready, with the reason, while create works; asked again on the same connection, and ready by itself once it is granted",
	async ({ seen }) => {
		const brokers = await Promise.all(
			NAMES.map(async () => {
				const broker = await startScriptedBroker();
				onTestFinished(() => broker[Symbol.asyncDispose]());
				return broker;
			}),
		);
		await using app = await startApp();
		const components = NAMES.map((name, index) => component({ name, url: brokers[index]!.url, route: "/events" }));
		await using sidecar = await startSidecar({ components: components.join(""), appPort: app.port });
		const connections: ScriptedConnection[] = [];
		for (const broker of brokers) {
			const connection = await broker.accept();
			await connection.greet();
			connections.push(connection);
		}
		await connections[1]!.grant();
		connections[1]!.close();
		connections[1] = await brokers[1]!.accept();
		await connections[1].greet({ sessionPresent: false });
		await connections[0]!.grant([0x80]);
		await connections[1].grant([0x80]);
		await connections[2]!.grant([0]);
		const found = await eventually(async () => {
			const all = await reasons(sidecar);
			return NAMES.map((name) => {
				const own = all.find((reason) => reason.component === name && reason.code.startsWith("subscription-"));
				if (own === undefined) throw new Error(`no reason of ${name} among ${JSON.stringify(all)}`);
				return own satisfies Reason;
			});
		});
		const refused = 'the broker refused the subscription to "in/#"';
		expect(found).toMatchObject([
			{ code: "subscription-refused", message: refused, blocking: true },
			{ code: "subscription-refused", message: refused, blocking: true },
			{ code: "subscription-downgraded", message: expect.stringContaining("granted QoS 0"), blocking: true },
		]);
		expect((await sidecar.ready()).status).toBe(503);
		for (const name of NAMES) {
			expect(await metric(sidecar, `mqtt3_binding_subscribed{component="${name}"`)).toBe(0);
			await sidecar.line(new RegExp(`level=error .*code=subscription-(refused|downgraded) component=${name} `));
		}
		const create = sidecar.create("first", { operation: "create", data: 1, metadata: { topic: "out/x" } });
		const { messageId } = await connections[0]!.expect("publish");
		connections[0]!.send({ cmd: "puback", messageId: messageId! });
		expect((await create).status).toBe(204);

		// The slow back-off: between 2.5 and 10 s.
		const refusedAt = performance.now();
		const waits = await Promise.all(
			connections.map(async (connection) => {
				const subscribe = await connection.expect("subscribe", () => true, 20_000);
				connection.send({ cmd: "suback", messageId: subscribe.messageId!, granted: [1] });
				return Math.round(performance.now() - refusedAt);
			}),
		);
		await untilReady(sidecar);
		for (const [index, connection] of connections.entries()) {
			connection.publish("in/a", NAMES[index]!, { qos: 1, messageId: 7 });
			await connection.expect("puback");
		}
		expect(texts(app.accepted()).sort()).toEqual([...NAMES].sort());
		for (const name of NAMES) expect(await metric(sidecar, `mqtt3_binding_subscribed{component="${name}"`)).toBe(1);
		seen(
			`503 with "${refused}", create answered 204 meanwhile; asked again after ${waits.join(", ")} ms on the same connections; then ready, messages accepted`,
		);
	},
	60_000,
);
