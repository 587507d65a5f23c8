import type { Socket } from "node:net";
import { isIP } from "node:net";
import { connect } from "node:tls";
import { CallCredentials, ChannelCredentials } from "@grpc/grpc-js";

type SecureConnector = ReturnType<ChannelCredentials["_createSecureConnector"]>;

/**
 * How grpc-js's connections to the app are secured: not at all, or by TLS without a look at the certificate, as in Dapr: the app is on this
 * machine or in this pod. Knows their sockets, which grpc-js itself leaves open when the app has said nothing on them yet.
 */
export class AppSockets extends ChannelCredentials {
	readonly #host: string;
	readonly #tls: boolean;
	readonly #sockets = new Set<Socket>();
	#closed = false;

	/** The host without brackets. */
	constructor(host: string, tls: boolean) {
		super();
		this.#host = host;
		this.#tls = tls;
	}

	/** Ends them all; one that is being made ends as soon as it is there. */
	close(): void {
		this.#closed = true;
		for (const socket of this.#sockets) socket.destroy();
	}

	#keep(socket: Socket): void {
		this.#sockets.add(socket);
		socket.once("close", () => this.#sockets.delete(socket));
		if (this.#closed) socket.destroy();
	}

	_isSecure(): boolean {
		return this.#tls;
	}

	_equals(other: ChannelCredentials): boolean {
		return this === other;
	}

	_createSecureConnector(): SecureConnector {
		const noCredentials = CallCredentials.createEmpty();
		return {
			connect: async (socket) => {
				this.#keep(socket);
				return this.#tls ? { socket: await handshake(socket, this.#host), secure: true } : { socket, secure: false };
			},
			waitForReady: async () => {},
			getCallCredentials: () => noCredentials,
			destroy: () => {},
		};
	}
}

function handshake(socket: Socket, host: string): Promise<Socket> {
	return new Promise((resolve, reject) => {
		const secured = connect({
			socket,
			rejectUnauthorized: false,
			ALPNProtocols: ["h2"],
			// RFC 6066, 3: an IP address is no server name.
			...(isIP(host) === 0 && { servername: host }),
		});
		secured.once("secureConnect", () => resolve(secured));
		secured.on("error", reject);
		secured.once("close", () => reject(new Error("the app ended the TLS handshake")));
	});
}
