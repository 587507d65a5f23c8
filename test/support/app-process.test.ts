import { expect, test } from "vitest";
import { type AppProcess, startApp } from "./app-process.js";
import { eventually } from "./eventually.js";

function post(app: AppProcess, payload: string | Buffer, headers: Record<string, string> = {}): Promise<Response> {
	return fetch(`${app.url}/orders`, { method: "POST", body: payload, headers });
}

async function statuses(app: AppProcess, ...payloads: readonly string[]): Promise<number[]> {
	return await Promise.all(payloads.map(async (payload) => (await post(app, payload)).status));
}

test("it answers, and logs what it got and accepted", async () => {
	await using app = await startApp();
	expect((await fetch(`${app.url}/orders`, { method: "OPTIONS" })).status).toBe(200);
	const payload = Buffer.from([0, 255, 10]);
	expect((await post(app, payload, { Topic: "a/\u00fc" })).status).toBe(200);
	expect(app.probes()).toHaveLength(1);
	expect(app.requests()).toEqual(app.accepted());
	expect(app.accepted()).toMatchObject([{ path: "/orders", payload, status: 200, headers: { topic: "a/\u00fc" } }]);
});

test("rules pick the answer by payload and by how often it came", async () => {
	await using app = await startApp({
		status: 201,
		rules: [
			{ payloads: ["refused"], status: 500, times: 1 },
			{ pattern: "^bad", status: 429, headers: { "retry-after": "3" }, body: "later" },
		],
	});
	expect(await statuses(app, "good", "refused")).toEqual([201, 500]);
	expect(await statuses(app, "refused", "refused")).toEqual([201, 201]);
	const bad = await post(app, "bad one");
	expect([bad.status, bad.headers.get("retry-after"), await bad.text()]).toEqual([429, "3", "later"]);
	expect(app.accepted().map(({ payload }) => String(payload))).toEqual(["good", "refused", "refused"]);
	await app.answer({ rules: [{ payloads: ["refused"], status: 404, times: 1 }] });
	expect(await statuses(app, "bad one", "refused")).toEqual([200, 404]);
});

test("it delays, hangs, breaks off and talks nonsense", async () => {
	await using app = await startApp({
		rules: [
			{ payloads: ["slow"], delayMs: [40, 60] },
			{ payloads: ["slow body"], bodyDelayMs: 40, bodySize: 5_000_000 },
			{ payloads: ["hang"], end: "hang" },
			{ payloads: ["close"], end: "close" },
			{ payloads: ["reset"], end: "reset" },
			{ payloads: ["half"], end: "reset after headers", body: "x" },
			{ payloads: ["raw"], raw: "HTTP/9 nonsense\r\n\r\n" },
		],
	});
	const started = performance.now();
	expect((await post(app, "slow")).status).toBe(200);
	expect(performance.now() - started).toBeGreaterThan(35);
	const slow = await post(app, "slow body");
	expect(app.accepted()).toHaveLength(1);
	expect((await slow.arrayBuffer()).byteLength).toBe(5_000_000);
	for (const payload of ["close", "reset", "raw"]) await expect(post(app, payload)).rejects.toThrow();
	await expect(post(app, "half").then((answer) => answer.text())).rejects.toThrow();
	const hanging = expect(post(app, "hang")).rejects.toThrow();
	await eventually(() => expect(app.requests()).toHaveLength(7));
	expect(app.accepted().map(({ payload }) => String(payload))).toEqual(["slow", "slow body"]);
	await app.kill();
	await hanging;
});

test("a kill loses nothing of the log, and it starts again on its port", async () => {
	await using app = await startApp({ rules: [{ payloads: ["die"], end: "exit" }] });
	await statuses(app, ...Array.from({ length: 50 }, (_, index) => String(index)));
	await expect(post(app, "die")).rejects.toThrow();
	expect(await app.exited).toEqual({ code: 1, signal: null });
	expect(app.pid).toBe(-1);
	await app.answer({ status: 204 });
	await app.start();
	expect(await statuses(app, "50")).toEqual([204]);
	expect(await app.acceptedAtLeast(51)).toHaveLength(51);
	await app.kill();
	await expect(app.acceptedAtLeast(52, 10)).rejects.toThrow("51 of 52");
});
