import { createServer, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { expect, onTestFinished } from "vitest";
import { component, logged, untilReason } from "../../integration/sidecar/component.js";
import { createCa } from "../../support/certificates.js";
import { listen } from "../../support/connection-recorder.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { startSidecar } from "../../support/sidecar-process.js";
import { fault } from "../support/fault.js";

fault(
	{ rows: ["F-48"], injected: "TLS to a mosquitto port without it" },
	"TLS on a plain port: the log and readiness say what may be wrong",
	async ({ seen }) => {
		await using broker = await startMosquitto();
		const components = component({ url: broker.url.replace("mqtt:", "mqtts:") });
		await using sidecar = await startSidecar({ components });
		await sidecar.line(/in the TLS handshake: .*speaks no TLS on this port.* code=connect-failed /);
		const { message } = await untilReason(sidecar, "not-connected");
		expect(message).toMatch(/speaks no TLS on this port/);
		seen(`"${message}"`);
	},
);

fault(
	{ rows: ["F-48"], injected: "plain MQTT to a mosquitto port with TLS" },
	"no TLS on a TLS port: closed, tried again with back-off, and the program lives",
	async ({ seen }) => {
		const ca = await createCa();
		const server = await ca.issue({ ipAddresses: ["127.0.0.1"] });
		await using broker = await startMosquitto({ tls: server });
		const components = component({ url: broker.tlsUrl!.replace("mqtts:", "mqtt:") });
		await using sidecar = await startSidecar({ components });
		await sidecar.line(/code=connect-failed /);
		const { message } = await untilReason(sidecar, "not-connected");
		expect(message).toMatch(/not connected to tcp:.*(closed|reset|violated the protocol)/);
		await sidecar.line(/next attempt in \d+ ms.* code=connect-failed /);
		expect(sidecar.running).toBe(true);
		seen(`"${message}"`);
	},
);

fault(
	{
		rows: ["F-48"],
		injected: "the peer accepts the connection and never answers the TLS handshake",
		scale: "connectTimeout 500 ms",
	},
	"a handshake that stalls ends at connectTimeout, says where it stood, and the socket is closed by us",
	async ({ seen }) => {
		const sockets: Socket[] = [];
		const ends: Promise<unknown>[] = [];
		const server = createServer((socket) => {
			sockets.push(socket);
			socket.on("error", () => {});
			socket.resume();
			ends.push(new Promise((resolve) => socket.once("close", resolve)));
		});
		const port = await listen(server);
		onTestFinished(() => {
			for (const socket of sockets) socket.destroy();
			server.close();
		});
		await using sidecar = await startSidecar({
			components: component({ url: `mqtts://127.0.0.1:${port}`, connectTimeout: "500ms" }),
		});
		const line = await sidecar.line(/code=connect-failed /);
		expect(line.input).toMatch(/TLS handshake/);
		await ends[0];
		const { message } = await untilReason(sidecar, "not-connected");
		expect(message).toMatch(/500 ms/);
		seen(`"${message}"`);
	},
);

for (const version of ["TLSv1", "TLSv1.1"] as const) {
	fault(
		{ rows: ["F-48"], injected: `a server that speaks nothing newer than ${version}` },
		`${version} alone: refused with the reason, and the next attempt takes its time`,
		async ({ seen }) => {
			const ca = await createCa();
			const pair = await ca.issue({ ipAddresses: ["127.0.0.1"] });
			const server = createTlsServer({
				...pair,
				minVersion: version,
				maxVersion: version,
				ciphers: "DEFAULT@SECLEVEL=0",
			});
			server.on("tlsClientError", () => {});
			const port = await listen(server);
			onTestFinished(() => void server.close());
			await using sidecar = await startSidecar({
				components: component({ url: `mqtts://127.0.0.1:${port}`, caCert: ca.cert }),
			});
			await sidecar.line(/code=connect-refused /);
			const { message } = await untilReason(sidecar, "not-connected");
			expect(message).toMatch(/speaks no TLS version from 1\.2 on/);
			const [refused, ...more] = logged(sidecar, "connect-refused");
			expect(more).toEqual([]);
			expect(Number(/next attempt in (\d+) ms/.exec(refused!)?.[1])).toBeGreaterThan(2_400);
			seen(`"${message}"`);
		},
	);
}
