import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { exchange, statusesIn } from "../../test/support/raw-http.js";
import { ConfigurationError } from "../errors.js";
import { type MetricsServer, startMetricsServer } from "./metrics-server.js";

const options = {
	port: 0,
	address: "127.0.0.1",
	allowedHosts: ["metrics.shop"],
	scrape: async () => ({ contentType: "text/plain", text: "up 1\n" }),
	onError: () => {},
};

describe("the metrics' port", () => {
	let server: MetricsServer;
	beforeEach(async () => {
		server = await startMetricsServer(options);
	});
	afterEach(() => server.close());

	const ask = async (line: string, ...headers: readonly string[]) => {
		const head = [`${line} HTTP/1.1`, ...headers, "Connection: close", "", ""].join("\r\n");
		return statusesIn(await exchange(server.port, head))[0];
	};

	it("answers GET and HEAD on /metrics and /", async () => {
		const answer = await fetch(server.url);
		expect([answer.status, await answer.text(), answer.headers.get("x-content-type-options")]).toEqual([
			200,
			"up 1\n",
			"nosniff",
		]);
		expect(await ask("HEAD /", "Host: 127.0.0.1")).toBe(200);
		expect(await ask("GET /metrics?x=y", "Host: metrics.shop")).toBe(200);
	});

	it.each([
		["POST /metrics", 405, ["Host: localhost"]],
		["DELETE /metrics", 405, ["Host: localhost"]],
		["GET /v1.0/metadata", 404, ["Host: localhost"]],
		["GET /metrics", 421, ["Host: evil.example"]],
		["GET /metrics", 403, ["Host: localhost", "Origin: http://evil.example"]],
		["GET /metrics", 403, ["Host: localhost", "Sec-Fetch-Site: cross-site"]],
	])("%s → %i with %j", async (line, status, headers) => {
		expect(await ask(line, ...headers)).toBe(status);
	});

	it("a port in use is an error that names flag and port", async () => {
		const second = startMetricsServer({ ...options, port: server.port });
		await expect(second).rejects.toThrow(ConfigurationError);
		await expect(second).rejects.toThrow(
			`metrics: port ${server.port} is in use on 127.0.0.1; choose another with --metrics-port`,
		);
	});
});

it("a scrape that fails is 500 without its reason, and is told", async () => {
	const errors: unknown[] = [];
	const server = await startMetricsServer({
		...options,
		scrape: () => Promise.reject(new Error("hunter2")),
		onError: (error) => errors.push(error),
	});
	const answer = await fetch(server.url);
	expect([answer.status, await answer.text()]).toEqual([500, "internal error\n"]);
	expect(errors).toHaveLength(1);
	await server.close();
});
