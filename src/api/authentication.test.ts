import { mkdtempSync, rmSync } from "node:fs";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { eventually } from "../../test/support/eventually.js";
import { exchange, statusesIn } from "../../test/support/raw-http.js";
import { type ApiUnderTest, startApi } from "../../test/support/start-api.js";
import { ConfigurationError } from "../errors.js";
import { Authentication } from "./authentication.js";

const TOKEN = "s3cret, with a comma";

type Headers = readonly (readonly [string, string])[];

const EXEMPT = ["/v1.0/healthz", "/v1.0/healthz/outbound", "/v1.0/healthz/ready"];

/** The rule in its shortest form: one header with the right value, or GET on exactly an exempt path. */
function isLetIn(method: string, target: string, headers: Headers): boolean {
	const shown = headers.filter(([name]) => name.toLowerCase() === "dapr-api-token");
	if (shown.length === 1 && shown[0]?.[1].trim() === TOKEN) return true;
	return method === "GET" && EXEMPT.includes(target.split("?")[0] ?? "");
}

async function statusOf(api: ApiUnderTest, method: string, target: string, headers: Headers): Promise<number> {
	const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
	const request = `${method} ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${lines}\r\n`;
	return statusesIn(await exchange(api.port, request))[0] ?? 0;
}

const RIGHT: Headers = [["dapr-api-token", TOKEN]];
const TARGETS: readonly (readonly [string, string])[] = [
	["GET", "/v1.0/healthz"],
	["GET", "/v1.0/healthz?x=1"],
	["GET", "/v1.0/healthz/outbound"],
	["GET", "/v1.0/healthz/ready"],
	["POST", "/v1.0/healthz"],
	["HEAD", "/v1.0/healthz"],
	["GET", "/v1.0/healthz/"],
	["GET", "//v1.0/healthz"],
	["GET", "/v1.0//healthz"],
	["GET", "/V1.0/healthz"],
	["GET", "/v1.0/Healthz"],
	["GET", "/v1.0/%68ealthz"],
	["GET", "/v1.0/healthz%3f"],
	["GET", "/v1.0/healthz%2f"],
	["GET", "/v1.0/healthz;x"],
	["GET", "/v1.0/healthz#x"],
	["GET", "/v1.0/healthzz"],
	["GET", "/v1.0/healthz/../metadata"],
	["GET", "/v1.0/healthz/%2e%2e/metadata"],
	["GET", "/v1.0/metadata"],
	["GET", "/v1.0/metadata?/v1.0/healthz"],
	["GET", "/v1.0/metadata/v1.0/healthz"],
	["GET", "/v1.0/metadata#/v1.0/healthz"],
	["GET", "/v1.0/metadata%3f/v1.0/healthz"],
	["GET", "http://localhost/v1.0/healthz"],
	["GET", "/healthz"],
	["POST", "/v1.0/bindings/orders"],
	["POST", "/v1.0/bindings/orders?x=/v1.0/healthz"],
	["POST", "/v1.0/bindings/v1.0/healthz"],
	["PUT", "/v1.0/metadata/healthz"],
	["POST", "/v1.0/shutdown"],
	["OPTIONS", "/v1.0/metadata"],
	["GET", "/nowhere"],
];
const HEADERS: readonly Headers[] = [
	[],
	[["dapr-api-token", ""]],
	[["dapr-api-token", "wrong"]],
	[["dapr-api-token", TOKEN.slice(0, -1)]],
	[["dapr-api-token", `${TOKEN}x`]],
	[["dapr-api-token", TOKEN.toUpperCase()]],
	[["dapr-api-token", `Bearer ${TOKEN}`]],
	[["dapr-api-token", `"${TOKEN}"`]],
	[["dapr-api-token", encodeURIComponent(TOKEN)]],
	[["dapr-api-token", ` \t${TOKEN}\t `]],
	[["DAPR-API-TOKEN", TOKEN]],
	[["Dapr-Api-Token", TOKEN]],
	[["dapr_api_token", TOKEN]],
	[["dapr-api-token-", TOKEN]],
	[["x-dapr-api-token", TOKEN]],
	[["authorization", `Bearer ${TOKEN}`]],
	[["cookie", `dapr-api-token=${TOKEN}`]],
	[
		["dapr-api-token", "s3cret"],
		["dapr-api-token", "with a comma"],
	],
	[...RIGHT, ...RIGHT],
	[...RIGHT, ["Dapr-Api-Token", "wrong"]],
	[["dapr-api-token", "wrong"], ...RIGHT],
	[...RIGHT, ["dapr-api-token", ""]],
];

describe("the API token", () => {
	test(`all ${TARGETS.length * 2 + HEADERS.length * 2} spellings of target and header are let in or not as the rule says`, async () => {
		await using api = await startApi({ token: { value: TOKEN } });
		const cases = [
			...TARGETS.flatMap(([method, target]) => [[], RIGHT].map((headers) => ({ method, target, headers }))),
			...HEADERS.flatMap((headers) => [
				{ method: "GET", target: "/v1.0/metadata", headers },
				{ method: "POST", target: "/v1.0/bindings/orders", headers },
			]),
		];
		for (const { method, target, headers } of cases) {
			const status = await statusOf(api, method, target, headers);
			const label = `${method} ${target} ${JSON.stringify(headers)}`;
			expect([label, status !== 401]).toEqual([label, isLetIn(method, target, headers)]);
		}
		expect(api.runtime.invocations).toEqual([]);
	});

	test("P14: the check equals the rule for any mixture of methods, paths and headers", async () => {
		await using api = await startApi({ token: { value: TOKEN } });
		const target = fc
			.array(
				fc.constantFrom("/v1.0", "/healthz", "/", "?", "%2f", "..", "/metadata", "/ready", "/outbound", "#", "%68"),
				{
					maxLength: 5,
				},
			)
			.map((parts) => `/${parts.join("")}`.replace(/^\/\//, "/"));
		const header = fc.tuple(
			fc.constantFrom("dapr-api-token", "Dapr-API-Token", "dapr-api-tokens", "x-token"),
			fc.constantFrom(TOKEN, ` ${TOKEN}`, "s3cret", "with a comma", "", "wrong"),
		);
		const method = fc.constantFrom("GET", "POST", "PUT", "HEAD", "DELETE");
		await fc.assert(
			fc.asyncProperty(method, target, fc.array(header, { maxLength: 3 }), async (verb, path, headers) => {
				expect((await statusOf(api, verb, path, headers)) !== 401).toBe(isLetIn(verb, path, headers));
			}),
			{ numRuns: 300 },
		);
	});

	test("missing and wrong get the same answer, before the path is looked at and the body is read", async () => {
		await using api = await startApi({ token: { value: TOKEN } });
		const refused = async (path: string, headers: Record<string, string>) => {
			const response = await api.fetch(path, { method: "POST", body: "{", headers });
			return [response.status, response.headers.get("content-type"), await response.text()];
		};
		const expected = [401, "text/plain; charset=utf-8", "invalid api token\n"];
		for (const path of ["/v1.0/bindings/orders", "/v1.0/bindings/%zz", "/nowhere"]) {
			expect(await refused(path, {})).toEqual(expected);
			expect(await refused(path, { "dapr-api-token": "wrong" })).toEqual(expected);
		}
	});

	test("bytes beyond ASCII are compared as UTF-8", async () => {
		await using api = await startApi({ token: { value: "schlüssel" } });
		const shown = Buffer.from("schlüssel").toString("latin1");
		const response = await api.fetch("/v1.0/metadata", { headers: { "dapr-api-token": shown } });
		expect(response.status).toBe(200);
	});

	test("without a token, or with an empty one, nobody has to show one", async () => {
		for (const token of [undefined, { value: "" }]) {
			await using api = await startApi({ token });
			expect((await api.fetch("/v1.0/metadata")).status).toBe(200);
		}
	});
});

describe("a token file", () => {
	function tokenFile(): string {
		const folder = mkdtempSync(join(tmpdir(), "token-"));
		onTestFinished(() => rmSync(folder, { recursive: true }));
		return join(folder, "token");
	}

	test("is read again, and a moment without a file costs nothing", async () => {
		const file = tokenFile();
		await writeFile(file, "first\n");
		await using api = await startApi({ token: { file } });
		const ask = async (token: string) =>
			(await api.fetch("/v1.0/metadata", { headers: { "dapr-api-token": token } })).status;
		expect([await ask("first"), await ask("second")]).toEqual([200, 401]);
		await rm(file);
		await writeFile(`${file}.new`, "second");
		expect(await ask("first")).toBe(200);
		await rename(`${file}.new`, file);
		await eventually(async () => expect([await ask("first"), await ask("second")]).toEqual([401, 200]));
	});

	test("that becomes empty leaves the last token valid", async () => {
		const file = tokenFile();
		await writeFile(file, "first");
		vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
		onTestFinished(() => void vi.useRealTimers());
		const authentication = new Authentication({ file });
		const admits = (token: string) => {
			const rawHeaders = ["dapr-api-token", token];
			return authentication.isAuthentic({
				headers: { "dapr-api-token": token },
				rawHeaders,
			} as unknown as IncomingMessage);
		};
		await writeFile(file, "\n");
		vi.advanceTimersByTime(1_000);
		// What was asked to read the file before has read it now.
		for (let i = 0; i < 10; i++) await readFile(file);
		expect([admits(""), admits("first")]).toEqual([false, true]);
		authentication.close();
	});

	test("that is empty or not there is a ConfigurationError at start", async () => {
		const file = tokenFile();
		expect(() => new Authentication({ file })).toThrow(ConfigurationError);
		await writeFile(file, " \n");
		expect(() => new Authentication({ file })).toThrow(`DAPR_API_TOKEN_FILE: "${file}" is empty`);
	});
});
