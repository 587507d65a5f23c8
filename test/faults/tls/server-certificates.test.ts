import { createServer } from "node:tls";
import { expect, onTestFinished } from "vitest";
import { component, logged, metric, reasons, untilReason } from "../../integration/sidecar/component.js";
import { createCa, createSelfSigned, type KeyPairPem } from "../../support/certificates.js";
import { listen } from "../../support/connection-recorder.js";
import { eventually } from "../../support/eventually.js";
import { startSidecar } from "../../support/sidecar-process.js";
import { fault } from "../support/fault.js";

const DAY_MS = 24 * 60 * 60 * 1_000;
const LOOPBACK = { ipAddresses: ["127.0.0.1"] };

fault(
	{
		rows: ["F-45", "F-46", "S-42"],
		injected:
			"seven servers: certificate expired, not yet valid, for another host, of a strange authority, of one made anew, self-signed, without the authority in between",
	},
	"each is refused, the reason named in one log line and in readiness, nothing is sent, and the next attempt takes its time",
	async ({ seen }) => {
		const [ca, strange, namesake] = await Promise.all([createCa("Our CA"), createCa("Strange CA"), createCa("Our CA")]);
		const between = await ca.issueAuthority("Between");
		const days = (from: number, to: number) => ({
			...LOOPBACK,
			notBefore: new Date(Date.now() + from * DAY_MS),
			notAfter: new Date(Date.now() + to * DAY_MS),
		});
		const servers: readonly (readonly [what: string, pair: KeyPairPem, cause: RegExp])[] = [
			["expired", await ca.issue(days(-3, -1)), /certificate has expired \(or this machine's clock is wrong\)/],
			["not-yet", await ca.issue(days(1, 3)), /certificate is not valid yet \(or this machine's clock is wrong\)/],
			["other-host", await ca.issue({ dnsNames: ["elsewhere.example"] }), /certificate is for another host/],
			["strange", await strange.issue(LOOPBACK), /comes from a certificate authority that is not trusted here/],
			["anew", await namesake.issue(LOOPBACK), /is not signed by the trusted authority of that name/],
			["self-signed", await createSelfSigned(LOOPBACK), /is self-signed and not among the trusted ones/],
			["no-between", await between.issue(LOOPBACK), /comes from a certificate authority that is not trusted here/],
		];
		let bytesOfClients = 0;
		const components: string[] = [];
		for (const [name, pair] of servers) {
			const server = createServer({ cert: pair.cert, key: pair.key }, (socket) => {
				socket.on("error", () => {});
				socket.on("data", (chunk) => {
					bytesOfClients += chunk.length;
				});
			});
			server.on("tlsClientError", () => {});
			onTestFinished(() => void server.close());
			components.push(component({ name, url: `mqtts://127.0.0.1:${await listen(server)}`, caCert: ca.cert }));
		}
		await using sidecar = await startSidecar({ components: components.join("") });
		for (const [name, , cause] of servers) {
			const line = await sidecar.line(new RegExp(`code=connect-refused component=${name} `));
			expect(line.input, name).toMatch(cause);
			expect(Number(/next attempt in (\d+) ms/.exec(line.input!)?.[1]), name).toBeGreaterThan(2_400);
		}
		await untilReason(sidecar, "not-connected");
		const said = await reasons(sidecar);
		for (const [name, , cause] of servers) {
			const own = said.filter((reason) => reason.component === name);
			expect(own, name).toMatchObject([{ code: "not-connected", blocking: true }]);
			expect(own[0]!.message, name).toMatch(cause);
			expect(await metric(sidecar, `mqtt3_binding_connected{component="${name}"`), name).toBe(0);
		}
		expect((await sidecar.ready()).status).toBe(503);
		expect(logged(sidecar, "connect-refused")).toHaveLength(servers.length);
		expect(bytesOfClients).toBe(0);
		seen(said.map(({ component: name, message }) => `${name}: ${message.split(": ").slice(1).join(": ")}`).join("; "));
	},
	60_000,
);

fault(
	{
		rows: ["S-42"],
		injected: "a server whose certificate was issued by an authority between it and the trusted one, with both sent",
	},
	"the whole chain is sent: connected",
	async ({ seen }) => {
		const ca = await createCa("Our CA");
		const between = await ca.issueAuthority("Between");
		const pair = await between.issue(LOOPBACK);
		let bytes = 0;
		const server = createServer({ cert: pair.cert + between.cert, key: pair.key }, (socket) => {
			socket.on("error", () => {});
			socket.on("data", (chunk) => {
				bytes += chunk.length;
			});
		});
		server.on("tlsClientError", () => {});
		onTestFinished(() => void server.close());
		const url = `mqtts://127.0.0.1:${await listen(server)}`;
		await using _ = await startSidecar({ components: component({ url, caCert: ca.cert }) });
		await eventually(() => expect(bytes).toBeGreaterThan(0));
		seen("CONNECT arrived over TLS");
	},
);
