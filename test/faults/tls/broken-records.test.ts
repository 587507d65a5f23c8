import { expect } from "vitest";
import { ClientUnderTest } from "../../integration/client/client-under-test.js";
import { createCa } from "../../support/certificates.js";
import { eventually } from "../../support/eventually.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { fault } from "../support/fault.js";
import { type ProxyLink, startFaultProxy } from "../support/fault-proxy.js";

/** Into the record that brings the message. */
const INTO_RECORD = 9;

for (const [what, spoil, reasons] of [
	[
		"the stream ends (FIN) in the middle of a TLS record",
		(link) => link.truncate("from server", link.passed("from server") + INTO_RECORD),
		["closed", "reset", "tls"],
	],
	[
		"a bit of a TLS record is flipped",
		(link) => link.corrupt("from server", link.passed("from server") + INTO_RECORD),
		["tls"],
	],
	[
		"FIN from the broker's side between records, without close_notify",
		(link) => link.finish("from server"),
		["closed"],
	],
] as const satisfies readonly (readonly [string, (link: ProxyLink) => void, readonly string[]])[]) {
	fault(
		{ rows: ["F-50"], injected: what, scale: "without renegotiation, which TLS 1.3 does not have" },
		`${what}: closed and connected again, nothing lost and nothing of it read as a message`,
		async ({ seen }) => {
			const ca = await createCa();
			const server = await ca.issue({ ipAddresses: ["127.0.0.1"] });
			await using mosquitto = await startMosquitto({ tls: server });
			await using proxy = await startFaultProxy(Number(new URL(mosquitto.tlsUrl!).port), { mqtt: false });
			await using it = new ClientUnderTest(proxy.url.replace("mqtt:", "mqtts:"), {
				tls: { ca: ca.cert, insecureSkipVerify: false },
				onDelivery: (delivery) => delivery.ack(),
			});
			it.client.subscribe();
			await it.client.connect();
			await it.reported("subscribed");
			await using device = await connectDevice(mosquitto.url);
			await device.publish("a/b", "before");
			await it.delivered(1);
			// Its PUBACK is at mosquitto.
			await eventually(() => expect(it.client.status().outstanding).toBe(0));
			await it.publish("asked", { topic: "elsewhere" });
			spoil(proxy.links[0]!);
			await device.publish("a/b", "through the fault");
			const { error } = await it.reported("disconnected");
			expect(reasons).toContain((error as { reason?: string }).reason);
			await it.reported("subscribed", 2);
			await device.publish("a/b", "after");
			await eventually(() => expect([...new Set(it.payloads)]).toEqual(["before", "through the fault", "after"]));
			seen(`"${error?.message}"; the message that was under way came on the next connection`);
		},
	);
}

fault(
	{ rows: ["F-50"], injected: "the server's first flight of the handshake ends (FIN) after 100 bytes, once" },
	"a handshake that breaks off: an attempt that failed, and the next one works",
	async ({ seen }) => {
		const ca = await createCa();
		const server = await ca.issue({ ipAddresses: ["127.0.0.1"] });
		await using mosquitto = await startMosquitto({ tls: server });
		await using proxy = await startFaultProxy(Number(new URL(mosquitto.tlsUrl!).port), { mqtt: false });
		// So slow that the link is there before its first byte has passed.
		proxy.shape({ latencyMs: 200 });
		await using it = new ClientUnderTest(proxy.url.replace("mqtt:", "mqtts:"), {
			tls: { ca: ca.cert, insecureSkipVerify: false },
		});
		it.client.connect().catch(() => {});
		const link = await eventually(() => proxy.links[0] ?? Promise.reject(new Error("no connection yet")));
		link.truncate("from server", 100);
		const { message } = await it.reported("connect-failed");
		await it.client.connect();
		seen(`"${message}", then online`);
	},
);
