import { expect } from "vitest";
import { startLine } from "../../integration/sidecar/line.js";
import { describeWith } from "../../support/left-out.js";
import { exchange, statusesIn } from "../../support/raw-http.js";
import { fault } from "../support/fault.js";

const ROUTES = [
	"POST /v1.0/bindings/orders",
	"PUT /v1.0/bindings/orders",
	"GET /v1.0/healthz",
	"GET /v1.0/healthz/outbound",
	"GET /v1.0/healthz/ready",
	"GET /v1.0/metadata",
	"PUT /v1.0/metadata/x",
	"POST /v1.0/shutdown",
	"GET /no-such-route",
];
const CREATE = '{"operation":"create","data":1,"metadata":{"topic":"out/x"}}';

function request(line: string, headers: readonly string[]): string {
	const body = line.startsWith("GET") ? "" : CREATE;
	return [`${line} HTTP/1.1`, ...headers, `Content-Length: ${body.length}`, "Connection: close", "", body].join("\r\n");
}

describeWith("mosquitto", "a web page", () => {
	fault(
		{
			rows: ["F-61"],
			injected: "requests as a browser sends them from a foreign page: a form, fetch in no-cors mode, fetch with JSON",
		},
		"403 on every route, the broker gets nothing; a program without such headers is served",
		async ({ seen }) => {
			await using line = await startLine();
			const { sidecar, device } = line;
			await device.subscribe("out/#");
			const browsers = [
				["Origin: http://evil.example", "Content-Type: text/plain"],
				["Origin: null", "Content-Type: application/x-www-form-urlencoded"],
				["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Content-Type: text/plain"],
				["Sec-Fetch-Site: same-site", "Origin: http://localhost:1", "Content-Type: application/json"],
			];
			let refused = 0;
			for (const headers of browsers) {
				for (const route of ROUTES) {
					const answer = await exchange(sidecar.port, request(route, [`Host: localhost:${sidecar.port}`, ...headers]));
					expect(statusesIn(answer), `${route} ${headers}`).toEqual([403]);
					refused++;
				}
			}
			const own = await exchange(sidecar.port, request(ROUTES[0]!, ["Host: localhost", "Content-Type: text/plain"]));
			expect(statusesIn(own)).toEqual([204]);
			expect(await device.received(1)).toHaveLength(1);
			expect(device.messages).toHaveLength(1);
			seen(
				`${refused} requests of four kinds on ${ROUTES.length} routes: 403 each; the one of a program: 204, and the only message`,
			);
		},
	);

	fault(
		{ rows: ["F-62"], injected: "DNS rebinding: requests whose Host is a name that is not ours" },
		"421 on every route of the API and of the metrics, a WebSocket upgrade included",
		async ({ seen }) => {
			await using line = await startLine();
			const { sidecar, device } = line;
			await device.subscribe("out/#");
			const [, metricsPort] = await sidecar.line(/metrics on http:\/\/127\.0\.0\.1:(\d+)/);
			const foreign = ["Host: evil.example", "Host: 127.0.0.1.evil.example:3500", "Host: localhost.evil.example"];
			let refused = 0;
			for (const host of foreign) {
				for (const route of ROUTES) {
					expect(statusesIn(await exchange(sidecar.port, request(route, [host]))), `${route} ${host}`).toEqual([421]);
					refused++;
				}
				expect(statusesIn(await exchange(Number(metricsPort), request("GET /metrics", [host])))).toEqual([421]);
				const upgrade = [host, "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"];
				expect(statusesIn(await exchange(sidecar.port, request("GET /v1.0/healthz", upgrade)))).toEqual([421]);
				refused += 2;
			}
			expect(device.messages).toHaveLength(0);
			seen(`${refused} requests with three foreign names: 421 each, nothing published`);
		},
	);
});
