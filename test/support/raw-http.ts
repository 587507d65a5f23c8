import { connect } from "node:net";

/**
 * Writes bytes to a port and resolves with everything that comes back until the server closes the connection, or
 * until `until` matches. Rejects after `timeoutMs`.
 */
export function exchange(
	port: number,
	bytes: string | Uint8Array,
	{ until, timeoutMs = 5_000 }: { readonly until?: RegExp; readonly timeoutMs?: number } = {},
): Promise<string> {
	return new Promise((resolve, reject) => {
		const socket = connect(port, "127.0.0.1");
		let received = "";
		const deadline = setTimeout(() => finish(new Error(`no end within ${timeoutMs} ms, got ${received}`)), timeoutMs);
		const finish = (error?: Error) => {
			clearTimeout(deadline);
			socket.destroy();
			if (error === undefined) resolve(received);
			else reject(error);
		};
		socket.on("data", (chunk) => {
			received += chunk.toString("latin1");
			if (until?.test(received)) finish();
		});
		socket.on("error", () => finish());
		socket.on("close", () => finish());
		socket.write(bytes);
	});
}

/** The statuses of all responses in what exchange() returned. */
export function statusesIn(received: string): number[] {
	return [...received.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1]));
}
