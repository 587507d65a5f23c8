import { expect } from "vitest";
import { component, logged, untilReady } from "../../integration/sidecar/component.js";
import { distinct, numbers, texts } from "../../integration/sidecar/line.js";
import { startApp } from "../../support/app-process.js";
import { createCa } from "../../support/certificates.js";
import { eventually } from "../../support/eventually.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { startSidecar } from "../../support/sidecar-process.js";
import { tempFolder } from "../../support/temp-folder.js";
import { startTlsFront } from "../../support/tls-front.js";
import { fault } from "../support/fault.js";
import { Load } from "../support/load.js";

fault(
	{
		rows: ["F-47", "S-20"],
		injected:
			"the client certificate expires during the connection; files are replaced; the connection is cut once, all under load",
		scale: "a certificate of eight seconds; through daprd in test/faults/daprd",
	},
	"a certificate that expires and is replaced: the connection stays, the next one shows the new certificate, nothing is lost",
	async ({ seen }) => {
		const [serverCa, clientCa] = await Promise.all([createCa("Server CA"), createCa("Client CA")]);
		await using broker = await startMosquitto();
		const front = await startTlsFront(broker.port, await serverCa.issue({ ipAddresses: ["127.0.0.1"] }), clientCa.cert);
		const notAfter = new Date(Date.now() + 8_000);
		const first = await clientCa.issue({ commonName: "first", notAfter });
		const second = await clientCa.issue({ commonName: "second" });
		await using files = await tempFolder({ "client.pem": first.cert, "client.key": first.key });
		await using app = await startApp();
		await using device = await connectDevice(broker.url);
		const components = component({
			url: front.url,
			caCert: serverCa.cert,
			clientCert: `file:${files.path}/client.pem`,
			clientKey: `file:${files.path}/client.key`,
		});
		await using sidecar = await startSidecar({ components, appPort: app.port });
		await untilReady(sidecar);
		const load = new Load(device);
		const daysLeft = async () => {
			const line = /^mqtt3_binding_certificate_days_left\{.*certificate="client".*\} (\S+)$/m.exec(
				await sidecar.metrics(),
			);
			return Number(line?.[1]);
		};
		expect(await daysLeft()).toBeLessThan(1);
		await eventually(() => expect(Date.now()).toBeGreaterThan(notAfter.getTime() + 1_500), { timeoutMs: 15_000 });
		expect(await daysLeft()).toBeLessThanOrEqual(0);
		expect(logged(sidecar, "disconnected")).toEqual([]);
		const before = app.accepted().length;
		await app.acceptedAtLeast(before + 10);

		await files.write("client.key", second.key);
		await files.write("client.pem", second.cert);
		front.cut();
		await eventually(() => expect(front.names).toEqual(["first", "second"]), { timeoutMs: 10_000 });
		await untilReady(sidecar);
		await eventually(async () => expect(await daysLeft()).toBeGreaterThan(0.5));
		const published = await load.stop();
		await eventually(() => expect(distinct(texts(app.accepted()))).toEqual(numbers(published)));
		expect(logged(sidecar, "disconnected")).toHaveLength(1);
		expect(logged(sidecar, "connect-refused")).toEqual([]);
		seen(
			`connected with a certificate that had expired; certificates shown: ${front.names.join(", ")}; one reconnect; ${published} of ${published} messages accepted`,
		);
	},
	60_000,
);

fault(
	{
		rows: ["F-47"],
		injected:
			"the connection is cut when the certificate on disk has expired or does not fit its key; later both are replaced",
		scale: "a certificate of a few seconds",
	},
	"a reconnect with what can't be used: not ready, the field and the reason named, no attempt with it; well again by itself with the new files",
	async ({ seen }) => {
		const [serverCa, clientCa] = await Promise.all([createCa("Server CA"), createCa("Client CA")]);
		await using broker = await startMosquitto();
		const front = await startTlsFront(broker.port, await serverCa.issue({ ipAddresses: ["127.0.0.1"] }), clientCa.cert);
		const [first, second] = await Promise.all([
			clientCa.issue({ commonName: "first" }),
			clientCa.issue({ commonName: "second" }),
		]);
		await using files = await tempFolder({ "client.pem": first.cert, "client.key": first.key });
		const components = component({
			url: front.url,
			caCert: serverCa.cert,
			clientCert: `file:${files.path}/client.pem`,
			clientKey: `file:${files.path}/client.key`,
		});
		await using sidecar = await startSidecar({ components });
		await untilReady(sidecar);
		await files.write("client.pem", second.cert);
		front.cut();
		const line = await sidecar.line(/code=connect-(failed|refused) /);
		expect(line.input).toMatch(/clientKey does not match clientCert/);
		expect((await sidecar.ready()).status).toBe(503);
		expect(front.names).toEqual(["first"]);
		await files.write("client.key", second.key);
		await untilReady(sidecar, 30_000);
		expect(front.names).toEqual(["first", "second"]);
		expect(sidecar.output.join("\n")).not.toContain(second.key.split("\n")[1]);
		seen(`${/msg="([^"]*)/.exec(line.input!)?.[1]}; then connected with the new pair`);
	},
	60_000,
);
