import { connect, type Socket } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import { onTestFinished } from "vitest";
import type { KeyPairPem } from "./certificates.js";
import { listen } from "./connection-recorder.js";

/** A TLS listener before a broker's plain port, which demands client certificates and notes whose came. */
export async function startTlsFront(brokerPort: number, own: KeyPairPem, clientCa: string) {
	const names: string[] = [];
	const sockets = new Set<Socket>();
	const server = createServer({ ...own, ca: clientCa, requestCert: true, rejectUnauthorized: true });
	server.on("tlsClientError", () => {});
	server.on("secureConnection", (socket: TLSSocket) => {
		names.push(String(socket.getPeerCertificate().subject.CN));
		const inner = connect(brokerPort, "127.0.0.1");
		for (const [one, other] of [
			[socket, inner],
			[inner, socket],
		] as const) {
			sockets.add(one);
			one.on("error", () => {});
			one.on("close", () => {
				sockets.delete(one);
				other.destroy();
			});
			one.pipe(other);
		}
	});
	const port = await listen(server);
	const cut = () => {
		for (const socket of sockets) socket.destroy();
	};
	onTestFinished(() => {
		cut();
		server.close();
	});
	return { url: `mqtts://127.0.0.1:${port}`, names, cut };
}
