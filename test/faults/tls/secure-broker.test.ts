import { afterAll, beforeAll, expect } from "vitest";
import {
	type ComponentFields,
	component,
	logged,
	untilReady,
	untilReason,
} from "../../integration/sidecar/component.js";
import { texts } from "../../integration/sidecar/line.js";
import { type AppProcess, startApp } from "../../support/app-process.js";
import { type CertificateAuthority, createCa, type KeyPairPem } from "../../support/certificates.js";
import { type Mosquitto, startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { type SidecarProcess, startSidecar } from "../../support/sidecar-process.js";
import { type TempFolder, tempFolder } from "../../support/temp-folder.js";
import { fault } from "../support/fault.js";

const PASSWORD = "s3cr€t: #&/canary";

let serverCa: CertificateAuthority;
let strangeCa: CertificateAuthority;
let namesakeCa: CertificateAuthority;
let ours: KeyPairPem;
let broker: Mosquitto;
let app: AppProcess;
let files: TempFolder;
beforeAll(async () => {
	const clientCa = await createCa();
	[serverCa, strangeCa, namesakeCa, ours] = await Promise.all([
		createCa("Server CA"),
		createCa("Strange CA"),
		createCa("Server CA"),
		clientCa.issue({ commonName: "us" }),
	]);
	const server = await serverCa.issue({
		commonName: "localhost",
		dnsNames: ["localhost"],
		ipAddresses: ["127.0.0.1"],
	});
	broker = await startMosquitto({
		tls: { ...server, clientCa: clientCa.cert },
		websocket: true,
		users: { "sen/sor": PASSWORD },
	});
	app = await startApp();
	files = await tempFolder({ "ca.pem": serverCa.cert, "client.pem": ours.cert, "client.key": ours.key });
});
afterAll(async () => {
	await app?.[Symbol.asyncDispose]();
	await broker?.[Symbol.asyncDispose]();
	await files?.[Symbol.asyncDispose]();
});

async function start(fields: ComponentFields): Promise<SidecarProcess> {
	return await startSidecar({ components: component(fields), appPort: app.port, args: ["--log-level", "debug"] });
}

/** Nothing that may be secret stands in what anybody can read. */
async function expectNoSecret(sidecar: SidecarProcess): Promise<void> {
	const answers = ["/v1.0/healthz/ready", "/v1.0/metadata", "/v1.0/healthz"].map(async (path) =>
		(await fetch(sidecar.url + path)).text(),
	);
	const create = sidecar.create("orders", { operation: "create", data: 1, metadata: { topic: "out/x" } });
	const seen = [...sidecar.output, ...(await Promise.all(answers)), await (await create).text()].join("\n");
	for (const secret of ["canary", "s3cr", "sen/sor", "PRIVATE KEY", ours.key.split("\n")[2]!]) {
		expect(seen).not.toContain(secret);
	}
}

const user = encodeURIComponent("sen/sor");
const login = () => `${user}:${encodeURIComponent(PASSWORD)}@`;

for (const [what, fields] of [
	[
		"TLS with a client certificate, PEM inline, and a password in the URL",
		() => ({
			url: broker.tlsUrl!.replace("//", `//${login()}`),
			caCert: serverCa.cert,
			clientCert: ours.cert,
			clientKey: ours.key,
		}),
	],
	[
		"TLS with files, and the password in fields of its own",
		() => ({
			url: broker.tlsUrl!.replace("mqtts:", "ssl:"),
			caCert: `file:${files.path}/ca.pem`,
			clientCert: `file:${files.path}/client.pem`,
			clientKey: `file:${files.path}/client.key`,
			username: "sen/sor",
			password: PASSWORD,
		}),
	],
	[
		"TLS with PEM in base64 and with \\n spelled out",
		() => ({
			url: broker.tlsUrl!,
			caCert: Buffer.from(serverCa.cert).toString("base64"),
			clientCert: ours.cert.replaceAll("\n", "\\n"),
			clientKey: ours.key.replaceAll("\n", "\\n"),
			username: "sen/sor",
			password: PASSWORD,
		}),
	],
	["WebSocket with a password", () => ({ url: `${broker.websocketUrl!.replace("//", `//${login()}`)}/mqtt` })],
] as const)
	fault(
		{ rows: ["S-42", "S-43"], injected: `a mosquitto that lets not everybody in; ${what}` },
		`${what}: messages flow both ways, and no secret is shown`,
		async ({ seen }) => {
			await using sidecar = await start(fields());
			await untilReady(sidecar);
			await using device = await connectDevice(broker.url, { username: "sen/sor", password: PASSWORD });
			await device.subscribe("out/#");
			const count = app.accepted().length;
			await device.publish("in/a", "secure");
			await expect.poll(() => app.accepted().length, { timeout: 5_000 }).toBe(count + 1);
			const answer = await sidecar.create("orders", { operation: "create", data: 1, metadata: { topic: "out/x" } });
			expect(answer.status).toBe(204);
			expect(texts(await device.received(1))).toEqual(["1"]);
			await expectNoSecret(sidecar);
			seen("a message in, a message out; user name, password and key in no log line, readiness, metadata or error");
		},
	);

for (const [what, fields, cause] of [
	[
		"a wrong password",
		() => ({ url: broker.url, username: "sen/sor", password: "canary" }),
		/not authorised|bad user name or password/,
	],
	[
		"an authority that is not trusted",
		() => ({
			url: broker.tlsUrl!,
			caCert: strangeCa.cert,
			clientCert: ours.cert,
			clientKey: ours.key,
		}),
		/the broker's certificate comes from a certificate authority that is not trusted here/,
	],
	[
		"an authority that was made anew",
		() => ({
			url: broker.tlsUrl!,
			caCert: namesakeCa.cert,
			clientCert: ours.cert,
			clientKey: ours.key,
		}),
		/the broker's certificate is not signed by the trusted authority of that name/,
	],
	[
		"another host name",
		() => ({
			url: broker.tlsUrl!,
			caCert: serverCa.cert,
			tlsServerName: "elsewhere.example",
			clientCert: ours.cert,
			clientKey: ours.key,
		}),
		/the broker's certificate is for another host: .*elsewhere\.example/,
	],
	["no client certificate", () => ({ url: broker.tlsUrl!, caCert: serverCa.cert }), /client certificate/],
] as const)
	fault(
		{
			rows: what === "a wrong password" ? ["F-14"] : ["F-46", "S-42"],
			injected: `${what}, with a mosquitto that demands client certificates and passwords`,
		},
		`${what}: readiness and one log line name the cause, the next attempt takes its time, and no secret is shown`,
		async ({ seen }) => {
			await using sidecar = await start({ ...fields(), publishTimeout: "100ms" });
			await sidecar.line(/code=connect-refused /);
			expect((await untilReason(sidecar, "not-connected")).message).toMatch(cause);
			const [refused, ...more] = logged(sidecar, "connect-refused");
			expect(more).toEqual([]);
			expect(refused).toMatch(cause);
			expect(Number(/next attempt in (\d+) ms/.exec(refused!)?.[1])).toBeGreaterThan(2_400);
			const { status, body } = await sidecar.ready();
			expect([status, (body as { status: string }).status]).toEqual([503, "not ready"]);
			await expectNoSecret(sidecar);
			seen(/msg="([^"]*)"/.exec(refused!)![1]!);
		},
	);
