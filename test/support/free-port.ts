import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

/**
 * A TCP port of 127.0.0.1 that is free now, from below the ranges that systems give out by themselves:
 * no outgoing connection takes it while the program that it is meant for is down for a restart.
 */
export async function freePort(): Promise<number> {
	for (;;) {
		const port = randomInt(20_000, 32_000);
		const server = createServer();
		try {
			server.listen(port, "127.0.0.1");
			await once(server, "listening");
			return port;
		} catch {
			// Taken: the next one.
		} finally {
			server.close();
		}
	}
}
