import { once } from "node:events";
import { connect } from "node:net";
import { expect } from "vitest";
import { component, metric } from "../../integration/sidecar/component.js";
import { eventually } from "../../support/eventually.js";
import { startScriptedBroker } from "../../support/scripted-broker.js";
import { startSidecar } from "../../support/sidecar-process.js";
import { fault } from "../support/fault.js";

fault(
	{
		rows: ["F-30"],
		injected:
			"callers over HTTP close their connection: 50 before there is a broker, 50 after their PUBLISH was written",
	},
	"what was not written never is; what was written completes without them; all places are free again",
	async ({ seen }) => {
		await using broker = await startScriptedBroker();
		const components = component({ url: broker.url, direction: "output", topic: "out/x" });
		await using sidecar = await startSidecar({ components });
		const pending = async () => await metric(sidecar, 'mqtt3_binding_publishes_pending{component="orders"');

		const early = await Promise.all(numbered("early", 50).map(async (data) => await callAndHold(sidecar.port, data)));
		await eventually(async () => expect(await pending()).toBe(50));
		for (const socket of early) socket.destroy();
		await eventually(async () => expect(await pending()).toBe(0));

		const connection = await broker.accept();
		await connection.greet();
		const late = await Promise.all(numbered("late", 50).map(async (data) => await callAndHold(sidecar.port, data)));
		const ids: number[] = [];
		const payloads: string[] = [];
		for (let count = 0; count < 50; count++) {
			const { messageId, payload } = await connection.expect("publish");
			ids.push(messageId!);
			payloads.push(JSON.parse(String(payload)));
		}
		expect(payloads.sort()).toEqual(numbered("late", 50).sort());
		for (const socket of late) socket.destroy();
		await connection.nothing(50);
		// They keep their identifiers until the broker has answered.
		expect(await pending()).toBe(50);
		connection.send(...ids.map((messageId) => ({ cmd: "puback" as const, messageId })));
		await eventually(async () => expect(await pending()).toBe(0));
		expect(await metric(sidecar, 'mqtt3_binding_late_answers_total{component="orders"')).toBe(50);

		const last = sidecar.create("orders", { operation: "create", data: "last" });
		const { messageId, payload } = await connection.expect("publish");
		expect(String(payload)).toBe('"last"');
		connection.send({ cmd: "puback", messageId: messageId! });
		expect((await last).status).toBe(204);
		seen("50 never written; 50 written, answered and counted as late, none left pending; the next call succeeds");
	},
);

function numbered(name: string, count: number): string[] {
	return Array.from({ length: count }, (_, index) => `${name} ${index}`);
}

/** Sends a `create` and leaves it to the caller to end the connection. */
async function callAndHold(port: number, data: string) {
	const socket = connect(port, "127.0.0.1").on("error", () => {});
	await once(socket, "connect");
	const body = JSON.stringify({ operation: "create", data });
	socket.write(
		`POST /v1.0/bindings/orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
	);
	return socket;
}
