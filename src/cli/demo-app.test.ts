import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, it, onTestFinished } from "vitest";
import { eventually } from "../../test/support/eventually.js";
import { DemoApp } from "./demo-app.js";

/** A sidecar's API that answers everything with `status` and keeps what it was sent. */
async function startApi(status: number) {
	const calls: { url: string | undefined; body: unknown }[] = [];
	const server = createServer(async (request, response) => {
		calls.push({ url: request.url, body: JSON.parse(await text(request)) });
		response.writeHead(status).end(status === 204 ? undefined : "not today");
	});
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	onTestFinished(async () => {
		server.closeAllConnections();
		server.close();
		await once(server, "close");
	});
	return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, calls };
}

async function startApp(sidecarUrl: string) {
	const problems: string[] = [];
	const app = await DemoApp.start({
		port: 0,
		sidecarUrl: () => sidecarUrl,
		onMessage: () => {},
		onCommand: () => {},
		onProblem: (problem) => problems.push(problem),
	});
	onTestFinished(() => app[Symbol.asyncDispose]());
	return { app, problems };
}

describe("DemoApp", () => {
	it("it says yes to the probe", async () => {
		const { app } = await startApp("http://127.0.0.1:1");
		expect((await fetch(`${app.url}/boiler`, { method: "OPTIONS" })).status).toBe(200);
		expect(app.messages).toBe(0);
	});

	it("it takes a reading and answers with a command through the sidecar's API", async () => {
		const api = await startApi(204);
		const { app, problems } = await startApp(api.url);
		for (const reading of [
			{ reading: 1, celsius: 57 },
			{ reading: 2, celsius: 60 },
			{ reading: 3, celsius: 63 },
		]) {
			const response = await fetch(`${app.url}/boiler`, { method: "POST", body: JSON.stringify(reading) });
			expect(response.status).toBe(200);
			await eventually(() => expect(api.calls).toHaveLength(reading.reading));
		}
		expect(api.calls[0]).toEqual({
			url: "/v1.0/bindings/boiler",
			body: { operation: "create", metadata: { topic: "home/boiler/command" }, data: { reading: 1, heating: true } },
		});
		expect(api.calls.map(({ body }) => (body as { data: unknown }).data)).toEqual([
			{ reading: 1, heating: true },
			{ reading: 2, heating: true },
			{ reading: 3, heating: false },
		]);
		expect(app.messages).toBe(3);
		expect(problems).toEqual([]);
	});

	it("a message that is no reading is taken and not answered", async () => {
		const { app, problems } = await startApp("http://127.0.0.1:1");
		expect((await fetch(`${app.url}/boiler`, { method: "POST", body: "hello" })).status).toBe(200);
		expect(app.messages).toBe(1);
		expect(problems).toEqual([]);
	});

	it.each([
		["refuses", async () => (await startApi(500)).url, "the sidecar answered 500: not today"],
		["is not there", async () => "http://127.0.0.1:1", "the sidecar did not answer"],
	])("a sidecar that %s is told of", async (_what, start, problem) => {
		const { app, problems } = await startApp(await start());
		await fetch(`${app.url}/boiler`, { method: "POST", body: '{"reading":1,"celsius":57}' });
		await eventually(() => expect(problems).toEqual([expect.stringContaining(problem)]));
	});
});
