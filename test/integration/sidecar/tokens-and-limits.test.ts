import { expect, test } from "vitest";
import { describeWith } from "../../support/left-out.js";
import { startLine, texts } from "./line.js";

describeWith("mosquitto", "tokens and limits", () => {
	test("DAPR_API_TOKEN is asked for, APP_API_TOKEN is sent, and neither is shown anywhere", async () => {
		await using line = await startLine({
			sidecar: { env: { DAPR_API_TOKEN: "canary-api", APP_API_TOKEN: "canary-app" }, args: ["--log-level", "debug"] },
		});
		const { app, sidecar, device } = line;
		await device.subscribe("out/#");
		const body = { operation: "create", data: 1, metadata: { topic: "out/x" } };
		for (const headers of [{}, { "dapr-api-token": "wrong" }]) {
			const answer = await sidecar.create("orders", body, { headers });
			expect([answer.status, (await answer.text()).trim()]).toEqual([401, "invalid api token"]);
		}
		const headers = { "dapr-api-token": "canary-api" };
		expect((await sidecar.create("orders", body, { headers })).status).toBe(204);
		expect(texts(await device.received(1))).toEqual(["1"]);
		expect((await fetch(`${sidecar.url}/v1.0/metadata`)).status).toBe(401);
		expect((await fetch(`${sidecar.url}/v1.0/shutdown`, { method: "POST" })).status).toBe(401);

		await device.publish("in/a", "x");
		await app.acceptedAtLeast(1);
		for (const request of [...app.probes(), ...app.requests()]) {
			expect(request.headers["dapr-api-token"]).toBe("canary-app");
		}
		// Without the token readiness gives away no topic and no address.
		const ready = await (await fetch(`${sidecar.url}/v1.0/healthz/ready`)).text();
		const metadata = await (await fetch(`${sidecar.url}/v1.0/metadata`, { headers })).text();
		expect([...sidecar.output, ready, metadata].join("\n")).not.toContain("canary");
	});

	test("a body over the limit, and what the request may not say: daprd's answers, and the connection is not touched", async () => {
		await using line = await startLine({ sidecar: { args: ["--max-body-size", "128Ki"] } });
		const { broker, sidecar, device } = line;
		await device.subscribe("#");
		const create = (metadata: object, more: object = {}) => ({ operation: "create", data: 1, metadata, ...more });
		const cases: readonly (readonly [body: object | string, status: number, errorCode: string, message: RegExp])[] = [
			[
				"x".repeat(140_000),
				400,
				"ERR_MALFORMED_REQUEST",
				/^failed deserializing HTTP body: body is larger than 131072 bytes$/,
			],
			["", 400, "ERR_MALFORMED_REQUEST", /^failed deserializing HTTP body: /],
			["{", 400, "ERR_MALFORMED_REQUEST", /^failed deserializing HTTP body: /],
			["[]", 400, "ERR_MALFORMED_REQUEST", /^failed deserializing HTTP body: /],
			[
				{ data: 1 },
				500,
				"ERR_INVOKE_OUTPUT_BINDING",
				/^error invoking output binding orders: operation field is missing from request$/,
			],
			[
				{ operation: "delete" },
				500,
				"ERR_INVOKE_OUTPUT_BINDING",
				/^error invoking output binding orders: binding orders does not support operation delete\. supported operations:create$/,
			],
			[create({ topic: "a/+" }), 400, "ERR_INVOKE_OUTPUT_BINDING", /topic "a\/\+".*wildcard/],
			[create({ topic: "a/#" }), 400, "ERR_INVOKE_OUTPUT_BINDING", /topic "a\/#".*wildcard/],
			[create({ topic: "a\u0000b" }), 400, "ERR_INVOKE_OUTPUT_BINDING", /topic "a\\u0000b".*U\+0000/],
			['{"operation":"create","metadata":{"topic":"\\ud800"}}', 400, "ERR_INVOKE_OUTPUT_BINDING", /topic/],
			[create({ topic: "a".repeat(65_536) }), 400, "ERR_INVOKE_OUTPUT_BINDING", /topic.*65,?535/],
			[create({ topic: "$SYS/broker" }), 400, "ERR_INVOKE_OUTPUT_BINDING", /\$SYS belongs to the broker/],
			[create({ topic: "$share/g/a" }), 400, "ERR_INVOKE_OUTPUT_BINDING", /\$share/],
			[create({}), 400, "ERR_INVOKE_OUTPUT_BINDING", /topic "in\/#".*name one in the request's metadata/],
			[create({ topic: "" }), 400, "ERR_INVOKE_OUTPUT_BINDING", /topic "in\/#".*name one in the request's metadata/],
			[create({ topic: "out/x", qos: "3" }), 400, "ERR_INVOKE_OUTPUT_BINDING", /qos.*3.*0, 1 or 2/],
			[create({ topic: "out/x", retain: "maybe" }), 400, "ERR_INVOKE_OUTPUT_BINDING", /retain.*maybe.*true/],
			[create({ topic: "out/x", encoding: "rot13" }), 400, "ERR_INVOKE_OUTPUT_BINDING", /encoding.*rot13.*json, utf8/],
			[
				create({ topic: "out/x", encoding: "base64" }, { data: "%" }),
				400,
				"ERR_INVOKE_OUTPUT_BINDING",
				/encoding base64/,
			],
			[create({ topic: "out/x", encoding: "utf8" }, { data: {} }), 400, "ERR_INVOKE_OUTPUT_BINDING", /encoding utf8/],
		];
		for (const [body, status, errorCode, message] of cases) {
			const answer = await sidecar.create("orders", body);
			const shown = typeof body === "string" ? body : JSON.stringify(body);
			expect(answer.headers.get("content-type")).toBe("application/json");
			const answered = (await answer.json()) as Record<string, string>;
			expect([answer.status, Object.keys(answered), answered.errorCode], shown.slice(0, 100)).toEqual([
				status,
				["errorCode", "message"],
				errorCode,
			]);
			expect(answered.message, shown.slice(0, 100)).toMatch(message);
			expect(answered.message!.length).toBeLessThan(400);
		}
		const unknown = await sidecar.create("nobody", create({ topic: "out/x" }));
		expect([unknown.status, await unknown.json()]).toEqual([
			500,
			{
				errorCode: "ERR_INVOKE_OUTPUT_BINDING",
				message: "error invoking output binding nobody: couldn't find output binding nobody",
			},
		]);
		expect((await sidecar.create("orders", create({ topic: "out/last" }))).status).toBe(204);
		expect((await device.received(1)).map(({ topic }) => topic)).toEqual(["out/last"]);
		expect(broker.log.filter((text) => text.includes(" as sidecar-orders "))).toHaveLength(1);
		expect(sidecar.output.filter((text) => /level=(error|warning)/.test(text))).toEqual([]);
	});

	test("more publishes than may be pending: 503 with Retry-After, while the others succeed once the broker answers", async () => {
		await using line = await startLine({ fields: { publishTimeout: "20s", keepAlive: "60s" } });
		const { broker, sidecar, device } = line;
		await device.subscribe("out/#");
		broker.freeze();
		const answers = Array.from({ length: 2_500 }, async (_, index) => {
			const answer = await sidecar.create("orders", { operation: "create", data: index, metadata: { topic: "out/x" } });
			if (answer.status !== 204) broker.thaw();
			return { index, status: answer.status, retryAfter: answer.headers.get("retry-after"), body: await answer.text() };
		});
		const all = await Promise.all(answers);
		const refused = all.filter(({ status }) => status !== 204);
		expect(refused.length).toBeGreaterThan(0);
		for (const { status, retryAfter, body } of refused) {
			expect([status, retryAfter]).toEqual([503, "1"]);
			expect(body).toMatch(/"error invoking output binding orders: not sent: too many pending: 2048 publishes/);
		}
		const accepted = all.filter(({ status }) => status === 204);
		const arrived = await device.received(accepted.length);
		expect(
			texts(arrived)
				.map(Number)
				.sort((a, b) => a - b),
		).toEqual(accepted.map(({ index }) => index));
	}, 60_000);
});
