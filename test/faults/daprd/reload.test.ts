import { expect } from "vitest";
import { createCa } from "../../support/certificates.js";
import { startComponent } from "../../support/component-process.js";
import { Daprd } from "../../support/daprd.js";
import { eventually } from "../../support/eventually.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { startTlsFront } from "../../support/tls-front.js";
import { startDaprdRun } from "../support/daprd-run.js";
import { fault } from "../support/fault.js";

fault(
	{
		rows: ["S-20"],
		injected:
			"daprd reloads the component with another client certificate, under load in both directions; a PEM in the properties",
		scale: "twice",
	},
	"a certificate rotated by daprd's hot reload: one reconnect each, which shows the new certificate, and nothing is lost",
	async ({ seen }) => {
		const [serverCa, clientCa] = await Promise.all([createCa("Server CA"), createCa("Client CA")]);
		const own = await serverCa.issue({ ipAddresses: ["127.0.0.1"] });
		const pairs = await Promise.all(["first", "second", "third"].map((commonName) => clientCa.issue({ commonName })));
		let names: readonly string[] = [];
		let url = "";
		const propertiesWith = ({ cert, key }: (typeof pairs)[number]) => ({
			url,
			caCert: serverCa.cert,
			clientCert: cert,
			clientKey: key,
		});
		await using run = await startDaprdRun({
			seed: 20,
			properties: async (proxyPort) => {
				const front = await startTlsFront(proxyPort, own, clientCa.cert);
				({ url, names } = front);
				return propertiesWith(pairs[0]!);
			},
		});
		run.publisher.start(200);
		run.caller.start(2);
		for (const [index, pair] of pairs.entries()) {
			await run.waitForAccepted(100 * (index + 1));
			if (index === 0) continue;
			await run.reload(propertiesWith(pair));
		}
		await run.waitForAccepted(400);
		const summary = await run.verify({ messages: 400, creates: 20, faults: 2 });
		expect(names).toEqual(["first", "second", "third"]);
		expect(run.connections).toBe(3);
		seen(`certificates shown: ${names.join(", ")}; ${summary}`);
	},
);

fault(
	{
		rows: ["S-21"],
		injected:
			"daprd reloads the component with another topic while messages of the old one wait at the broker, and back again",
	},
	"the old filter is left, what still comes of it is acknowledged undelivered and counted, and all of the new topic comes",
	async ({ seen }) => {
		await using broker = await startMosquitto({ logPackets: true });
		await using device = await connectDevice(broker.url);
		await using component = await startComponent({ args: ["--metrics-port", "0"] });
		const properties = { url: broker.url, consumerID: "plugged", topic: "in/old/#" };
		await using daprd = await Daprd.start({ socket: component.socket, properties });
		await daprd.ping("input");
		await device.publish("in/old/a", "1");
		await eventually(() => expect(texts(daprd)).toEqual(["1"]));
		await daprd.stopReading();
		for (const payload of ["2", "3"]) await device.publish("in/old/a", payload);
		await daprd.init({ ...properties, topic: "in/new/#" });
		daprd.read();
		await daprd.ping("input");
		await broker.line(/Received UNSUBSCRIBE from plugged/);
		await device.publish("in/old/a", "4");
		await device.publish("in/new/a", "5");
		await eventually(() => expect(texts(daprd)).toEqual(["1", "5"]));
		const dropped = async () =>
			/^mqtt3_binding_dropped_total\{.*unsubscribed.*\} (\d+)$/m.exec(await component.metrics())?.[1];
		await eventually(async () => expect(await dropped()).toBe("2"));
		expect(component.output.filter((line) => line.includes("code=stray-topic"))).toEqual([]);
		// Back again: what was left is subscribed to, and what came meanwhile is not missed.
		await daprd.stopReading();
		await daprd.init(properties);
		daprd.read();
		await daprd.ping("input");
		await device.publish("in/old/a", "6");
		await eventually(() => expect(texts(daprd)).toEqual(["1", "5", "6"]));
		seen(
			`UNSUBSCRIBE of the old filter, 2 of its messages acknowledged undelivered and counted; the new topic's came; and back again`,
		);
	},
);

function texts(daprd: Daprd): readonly string[] {
	return daprd.events.map(({ data }) => data.toString());
}
