import dns, { type LookupAddress } from "node:dns";
import { expect, onTestFinished, vi } from "vitest";
import { ClientUnderTest, delayOf } from "../../integration/client/client-under-test.js";
import { freePort } from "../../support/free-port.js";
import { startScriptedBroker } from "../../support/scripted-broker.js";
import { fault } from "../support/fault.js";

type Lookup = [host: string, options: object, callback: (error: Error | null, addresses: LookupAddress[]) => void];

/** What a name server says now: addresses, or an error's code. */
type Answer = readonly string[] | string;

const NAME = "broker.example";
const { lookup: systemLookup } = dns;

/** In this test Node asks us for that name. */
function nameServer(): { answer: Answer; readonly asked: string[] } {
	const server: { answer: Answer; asked: string[] } = { answer: "ENOTFOUND", asked: [] };
	const lookup = (...args: Parameters<typeof systemLookup>) => {
		const [host, , callback] = args as unknown as Lookup;
		// A server that listens asks too.
		if (host !== NAME) return systemLookup(...args);
		server.asked.push(host);
		const { answer } = server;
		if (typeof answer === "string") {
			const error = Object.assign(new Error(`getaddrinfo ${answer} ${NAME}`), { code: answer, syscall: "getaddrinfo" });
			setImmediate(() => callback(error, []));
		} else {
			const addresses = answer.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
			setImmediate(() => callback(null, addresses));
		}
	};
	const spy = vi.spyOn(dns, "lookup").mockImplementation(lookup as unknown as typeof dns.lookup);
	onTestFinished(() => spy.mockRestore());
	return server;
}

fault(
	{
		rows: ["F-12", "S-40"],
		injected:
			"an injected name lookup: no such name, twice; then a dead address before the live one; then, after a loss, another address alone; then IPv6 without a route before IPv4",
	},
	"the name is looked up at each attempt, all of its addresses are tried, and there is a back-off",
	async ({ seen }) => {
		const names = nameServer();
		const port = await freePort();
		await using it = new ClientUnderTest(`mqtt://${NAME}:${port}`);
		it.client.connect().catch(() => {});
		const { error } = await it.reported("connect-failed", 2);
		expect(error).toMatchObject({ reason: "dns", message: expect.stringContaining("the host name is not known") });
		expect(delayOf(it.reports[1]!)).toBeLessThanOrEqual(500);
		expect(names.asked.length).toBe(2);

		const first = await startScriptedBroker(port, "127.0.0.1");
		names.answer = ["127.0.0.2", "127.0.0.1"];
		await (await first.accept()).greet();
		await it.reported("connected");

		await using second = await startScriptedBroker(port, "127.0.0.3");
		names.answer = ["127.0.0.3"];
		await first[Symbol.asyncDispose]();
		const connection = await second.accept();
		await connection.greet({ sessionPresent: true });
		await it.reported("connected", 2);

		names.answer = ["::2", "127.0.0.3"];
		connection.reset();
		await (await second.accept(10_000)).greet({ sessionPresent: true });
		await it.reported("connected", 3);
		expect(new Set(names.asked)).toEqual(new Set([NAME]));
		expect(names.asked.length).toBe(it.states.filter((state) => state === "connecting").length);
		seen(
			`"${error?.message}"; online at the second address, then at the new one, then by IPv4; ${names.asked.length} lookups in ${names.asked.length} attempts`,
		);
	},
);

fault(
	{ rows: ["F-12"], injected: "a name server that does not answer", scale: "connectTimeout 200 ms" },
	"connectTimeout covers the name lookup, and the next attempt asks again",
	async ({ seen }) => {
		let asked = 0;
		const spy = vi.spyOn(dns, "lookup").mockImplementation((() => {
			asked++;
		}) as unknown as typeof dns.lookup);
		onTestFinished(() => spy.mockRestore());
		await using it = new ClientUnderTest(`mqtt://${NAME}`, { connectTimeoutMs: 200 });
		it.client.connect().catch(() => {});
		const { error } = await it.reported("connect-failed", 2);
		expect(error).toMatchObject({ reason: "timeout", message: expect.stringContaining("(name lookup)") });
		expect(asked).toBeGreaterThanOrEqual(2);
		seen(`"${error?.message}", ${asked} lookups`);
	},
);
