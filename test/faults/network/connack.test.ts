import { expect, onTestFinished } from "vitest";
import { MqttRefusedError } from "../../../src/errors.js";
import { delayOf, startScene } from "../../integration/client/client-under-test.js";
import { component, logged, metric, reasons, untilReady, untilReason } from "../../integration/sidecar/component.js";
import { startScriptedBroker } from "../../support/scripted-broker.js";
import { startSidecar } from "../../support/sidecar-process.js";
import { fault } from "../support/fault.js";

for (const [returnCode, text] of [
	[1, "unacceptable protocol version"],
	[2, "the client identifier is not allowed"],
	[4, "bad user name or password"],
	[5, "not authorised"],
] as const) {
	fault(
		{ rows: ["F-14"], injected: `CONNACK ${returnCode}, and the broker leaves the connection open` },
		`return code ${returnCode}: we close the connection, say why without a secret, and wait for long`,
		async ({ seen }) => {
			await using scene = await startScene({ username: "user", password: "canary" });
			const connection = await scene.broker.accept();
			connection.holdOpen = true;
			await connection.greet({ returnCode });
			expect((await connection.closed).how).not.toBe("ours");
			const { error, message } = await scene.it.reported("connect-refused");
			expect(error).toBeInstanceOf(MqttRefusedError);
			expect(error).toMatchObject({ returnCode });
			expect(message).toContain(`${text} (return code ${returnCode})`);
			const delayMs = delayOf(await scene.it.reported("connect-refused"));
			expect(delayMs).toBeGreaterThanOrEqual(2_500);
			expect(delayMs).toBeLessThanOrEqual(10_000);
			expect(scene.it.client.status()).toMatchObject({ state: "offline", cause: error });
			expect(JSON.stringify(scene.it.reports)).not.toContain("canary");
			await scene.broker.nobody(50);
			seen(`"${text}", socket closed by us, next attempt in ${delayMs} ms`);
		},
	);
}

fault(
	{ rows: ["F-14"], injected: "CONNACK 4, then the broker closes" },
	"the broker refuses and closes: the same long wait as when it leaves the connection open",
	async ({ seen }) => {
		await using scene = await startScene();
		const connection = await scene.broker.accept();
		await connection.expect("connect");
		connection.send({ cmd: "connack", returnCode: 4, sessionPresent: false });
		connection.close();
		const delayMs = delayOf(await scene.it.reported("connect-refused"));
		expect(delayMs).toBeGreaterThanOrEqual(2_500);
		expect(scene.it.reports).toHaveLength(1);
		seen(`one report, of the refusal and not of the closed connection; next attempt in ${delayMs} ms`);
	},
);

fault(
	{ rows: ["F-14"], injected: "CONNACK 4 to the sidecar, and the broker leaves the connection open" },
	"the whole program refused: not ready, the cause in words, one line in the log, no secret anywhere",
	async ({ seen }) => {
		await using broker = await startScriptedBroker();
		await using sidecar = await startSidecar({
			components: component({ url: broker.url, username: "canary-user", password: "canary-password" }),
		});
		const connection = await broker.accept();
		await connection.greet({ returnCode: 4 });
		await connection.closed;
		const { message, blocking } = await untilReason(sidecar, "not-connected");
		expect([message, blocking]).toEqual([expect.stringMatching(/bad user name or password \(return code 4\)/), true]);
		expect((await sidecar.ready()).status).toBe(503);
		expect(await metric(sidecar, "mqtt3_binding_ready{")).toBe(0);
		await broker.nobody(2_000);
		expect(logged(sidecar, "connect-refused")).toHaveLength(1);
		const said = [...sidecar.output, JSON.stringify(await reasons(sidecar)), await sidecar.metrics()].join("\n");
		expect(said).not.toContain("canary");
		seen(
			`503: "${message}"; no further attempt within 2 s; neither user name nor password in log, readiness or metrics`,
		);
	},
);

fault(
	{ rows: ["F-14"], injected: "a PUBLISH in the same piece as CONNACK 5" },
	"what comes behind a refusal is read by nobody",
	async ({ seen }) => {
		await using scene = await startScene();
		const connection = await scene.broker.accept();
		await connection.expect("connect");
		connection.send(
			{ cmd: "connack", returnCode: 5, sessionPresent: false },
			{ cmd: "publish", topic: "a", payload: "x", qos: 1, messageId: 1, dup: false, retain: false },
		);
		await connection.closed;
		expect(await scene.it.reported("connect-refused")).toMatchObject({ error: { returnCode: 5 } });
		expect(scene.it.deliveries).toEqual([]);
		expect(connection.received).toHaveLength(1);
		seen("no delivery, nothing sent but CONNECT");
	},
);

const CONNACK = [0x20, 2, 0, 0];

for (const [what, clause, bytes] of [
	["PUBLISH", "MQTT-3.2.0-1", [0x30, 3, 0, 1, 0x61]],
	["PINGRESP", "MQTT-3.2.0-1", [0xd0, 0]],
	["SUBACK", "MQTT-3.2.0-1", [0x90, 3, 0, 1, 1]],
	["PUBREL", "MQTT-3.2.0-1", [0x62, 2, 0, 1]],
] as const) {
	fault(
		{ rows: ["F-16", "S-34"], injected: `${what} before CONNACK` },
		`[MQTT-4.8.0-1] ${what} before the CONNACK closes the connection`,
		async ({ seen }) => {
			await using scene = await startScene();
			const connection = await scene.broker.accept();
			await connection.expect("connect");
			connection.sendRaw([...bytes, ...CONNACK]);
			await connection.closed;
			const { error, message } = await scene.it.reported("connect-failed");
			expect(error).toMatchObject({ reason: "protocol", cause: { clause } });
			expect(message).toContain(`[${clause}]`);
			expect(scene.it.states).not.toContain("online");
			expect(scene.it.deliveries).toEqual([]);
			await scene.online();
			seen(`closed with [${clause}], never online; the next connection is`);
		},
	);
}

for (const [what, clause, bytes] of [
	["Session Present beside a refusal", "MQTT-3.2.2-4", [0x20, 2, 1, 5]],
	["an unknown return code", "3.2.2.3", [0x20, 2, 0, 6]],
	["acknowledge flags other than Session Present", "3.2.2.1", [0x20, 2, 2, 0]],
] as const) {
	fault(
		{ rows: ["F-16", "S-34"], injected: `CONNACK with ${what}` },
		`[MQTT-4.8.0-1] ${what} closes the connection`,
		async ({ seen }) => {
			await using scene = await startScene();
			const connection = await scene.broker.accept();
			await connection.expect("connect");
			connection.sendRaw(bytes);
			await connection.closed;
			expect((await scene.it.reported("connect-failed")).message).toContain(`[${clause}]`);
			await scene.online();
			seen(`closed with [${clause}]`);
		},
	);
}

fault(
	{ rows: ["F-16", "S-34"], injected: "a second CONNACK on a connection that is online" },
	"[MQTT-4.8.0-1] a second CONNACK closes the connection",
	async ({ seen }) => {
		await using scene = await startScene();
		const connection = await scene.subscribed();
		connection.sendRaw(CONNACK);
		await connection.closed;
		const { error } = await scene.it.reported("disconnected");
		expect(error).toMatchObject({ reason: "protocol", cause: { clause: "MQTT-3.2.0-1" } });
		await scene.online();
		seen("closed with [MQTT-3.2.0-1]");
	},
);

fault(
	{ rows: ["F-16", "S-34"], injected: "Session Present 1 in answer to CONNECT with Clean Session 1" },
	"[MQTT-3.1.2-6] Session Present in answer to a clean session closes the connection, and nothing of it is used",
	async ({ seen }) => {
		await using scene = await startScene({ cleanSession: true });
		const connection = await scene.broker.accept();
		await connection.expect("connect");
		connection.send({ cmd: "connack", returnCode: 0, sessionPresent: true });
		await connection.closed;
		expect((await scene.it.reported("connect-failed")).message).toContain("[MQTT-3.2.2-1]");
		expect(scene.it.states).not.toContain("online");
		await scene.online();
		await scene.it.client.connect();
		seen("closed with [MQTT-3.2.2-1], never online");
	},
);

fault(
	{ rows: ["F-16", "F-48"], injected: "HTTP, SSH, a TLS alert and two kinds of bad MQTT in answer to CONNECT" },
	"what is no MQTT at all is named as what it is, and the program lives",
	async ({ seen }) => {
		const cases: readonly (readonly [bytes: string, cause: RegExp])[] = [
			["HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", /violated the protocol: .*\[[-.\w]+\]/],
			["SSH-2.0-OpenSSH_9.2\r\n", /violated the protocol: .*\[[-.\w]+\]/],
			["\u0015\u0003\u0003\u0000\u0002\u0002\u0016", /violated the protocol: .*\[[-.\w]+\]/],
			["\u0030\u0004\u0000\u0001ax", /violated the protocol: publish packet before CONNACK \[MQTT-3\.2\.0-1\]/],
			["\u0020\u0002\u0001\u0005", /violated the protocol: .*\[MQTT-3\.2\.2-4\]/],
		];
		const started = await Promise.all(
			cases.map(async () => {
				const broker = await startScriptedBroker();
				onTestFinished(() => broker[Symbol.asyncDispose]());
				return broker;
			}),
		);
		const components = started.map(({ url }, index) => component({ name: `case-${index}`, url }));
		await using sidecar = await startSidecar({ components: components.join("") });
		await Promise.all(
			cases.map(async ([bytes, cause], index) => {
				const connection = await started[index]!.accept();
				await connection.expect("connect");
				connection.sendRaw(Buffer.from(bytes, "latin1"));
				await connection.closed;
				const line = await sidecar.line(new RegExp(`code=connect-failed component=case-${index} `));
				expect(line.input).toMatch(cause);
			}),
		);
		expect(sidecar.running).toBe(true);
		seen(`${cases.length} connections closed, each with its clause in the log`);
	},
);

fault(
	{ rows: ["F-13"], injected: "no CONNACK to the sidecar", scale: "connectTimeout 300 ms" },
	"no CONNACK within connectTimeout ends the attempt, readiness says so, and the next one works",
	async ({ seen }) => {
		await using broker = await startScriptedBroker();
		const components = component({ url: broker.url, connectTimeout: "300ms" });
		await using sidecar = await startSidecar({ components });
		const silent = await broker.accept();
		await silent.expect("connect");
		await silent.closed;
		const { message } = await untilReason(sidecar, "not-connected");
		expect(message).toMatch(/no CONNACK within 300 ms/);
		await (await broker.accept()).greet();
		await untilReady(sidecar);
		seen(`"${message}", then ready`);
	},
);

fault(
	{ rows: ["F-55"], injected: "a PUBLISH of the resumed session in the same piece as CONNACK" },
	"packets in the same piece as the CONNACK find everything ready",
	async ({ seen }) => {
		await using scene = await startScene({ onDelivery: (delivery) => delivery.ack() });
		const connection = await scene.broker.accept();
		await connection.expect("connect");
		connection.send(
			{ cmd: "connack", returnCode: 0, sessionPresent: true },
			{ cmd: "publish", topic: "a/b", payload: "backlog", qos: 1, messageId: 9, dup: true, retain: false },
		);
		await connection.expect("subscribe");
		await connection.expect("puback", ({ messageId }) => messageId === 9);
		expect(scene.it.payloads).toEqual(["backlog"]);
		seen("delivered and acknowledged, SUBSCRIBE unanswered yet");
	},
);
