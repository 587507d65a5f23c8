import { createServer, type Server } from "node:http";
import { describe, expect, onTestFinished, test } from "vitest";
import { ConfigurationError } from "../errors.js";
import { isLoopback, listenAddresses, listenOnAll, originOf } from "./listen-addresses.js";

async function listen(addresses: readonly string[], port = 0): Promise<readonly Server[]> {
	const servers = await listenOnAll(addresses, port, () => createServer());
	onTestFinished(() => {
		for (const server of servers) server.close();
	});
	return servers;
}

function portOf(server: Server | undefined): number {
	return server === undefined ? 0 : Number(new URL(originOf(server)).port);
}

describe("listenAddresses", () => {
	test.each([
		[undefined, ["127.0.0.1", "::1"]],
		[[], ["127.0.0.1", "::1"]],
		[
			[" ", ""],
			["127.0.0.1", "::1"],
		],
		[
			["[::1]", " 127.0.0.1 ", "127.0.0.1"],
			["::1", "127.0.0.1"],
		],
		[["0.0.0.0"], ["0.0.0.0"]],
	])("%j means %j", (named, addresses) => {
		expect(listenAddresses(named)).toEqual(addresses);
	});
});

describe("isLoopback", () => {
	test.each(["127.0.0.1", "127.1.2.3", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "localhost"])(
		"%s is",
		(address) => {
			expect(isLoopback(address)).toBe(true);
		},
	);
	test.each(["0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "::ffff:10.0.0.1", "fe80::1", "localhost.example", "", "127.1"])(
		"%j is not",
		(address) => expect(isLoopback(address)).toBe(false),
	);
});

describe("listenOnAll", () => {
	test("with port 0 all addresses get the same port", async () => {
		const servers = await listen(["127.0.0.1", "127.0.0.2"]);
		expect(new Set(servers.map(portOf)).size).toBe(1);
		expect(servers.map(originOf)[1]).toMatch(/^http:\/\/127\.0\.0\.2:\d+$/);
	});

	test("an address that this machine does not have is left out while another is there", async () => {
		expect(await listen(["192.0.2.1", "127.0.0.1"])).toHaveLength(1);
		const nowhere = listenOnAll(["192.0.2.1"], 0, () => createServer());
		await expect(nowhere).rejects.toThrow("192.0.2.1; choose another with --dapr-listen-addresses");
	});

	test("a port in use is named with its flag, and nothing goes on listening", async () => {
		const [taken] = await listen(["127.0.0.1"]);
		const created: Server[] = [];
		const failed = listenOnAll(["127.0.0.2", "127.0.0.1"], portOf(taken), () => {
			const server = createServer();
			created.push(server);
			return server;
		});
		await expect(failed).rejects.toThrow(ConfigurationError);
		await expect(failed).rejects.toThrow(
			`HTTP API: port ${portOf(taken)} is in use on 127.0.0.1; choose another with --dapr-http-port`,
		);
		expect(created.map((server) => server.listening)).toEqual([false, false]);
	});
});
