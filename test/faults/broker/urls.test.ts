import { expect } from "vitest";
import { component, untilReady } from "../../integration/sidecar/component.js";
import { createCa } from "../../support/certificates.js";
import { describeWith } from "../../support/left-out.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { launchSidecar, startSidecar } from "../../support/sidecar-process.js";
import { fault } from "../support/fault.js";

const USER = "hub/dev/?api-version=1";
const PASSWORD = "p@ss:w#o%rd,x";
const OUTPUT = { direction: "output" };

/** What is wrong with it, and a word that the error must hold. */
const WRONG: readonly (readonly [url: string, word: RegExp])[] = [
	["127.0.0.1:1883", /no scheme/],
	["http://user:canary@host", /did you mean ws/],
	["tcp://user:canary@host:99999", /bad port/],
	["tcp://user:canary", /bad port/],
	["tcp://user:canary#x@host", /write it as %23/],
	["tcp://user:canary%@host", /bad percent escape/],
	["tcp://user:canary@::1", /IPv6 address in brackets/],
	["tcp://user:canary@host/path", /has a path/],
	["tcp://:canary@host", /password without a user name/],
];

describeWith("mosquitto", "URLs of a broker", () => {
	fault(
		{
			rows: ["S-43"],
			injected:
				"URLs of every scheme, with a user name that holds / and ?, a password that holds @ : # % and a comma, with and without percent escapes; and nine URLs that are wrong",
		},
		"the right ones connect, with exactly that user name and password; the wrong ones end the start with the place, what is wrong, and no part of the password",
		async ({ seen }) => {
			const ca = await createCa();
			const { cert, key } = await ca.issue({ ipAddresses: ["127.0.0.1"] });
			await using broker = await startMosquitto({ users: { [USER]: PASSWORD }, tls: { cert, key }, websocket: true });
			const raw = `${USER}:${PASSWORD.replace("#", "%23").replace("%r", "%25r")}`;
			const escaped = `${encodeURIComponent(USER)}:${encodeURIComponent(PASSWORD)}`;
			const { port } = broker;
			const [tls, ws] = [broker.tlsUrl!, broker.websocketUrl!].map((url) => new URL(url).port);
			const urls = [
				...["tcp", "mqtt", "MQTT"].flatMap((scheme) => [`${scheme}://${raw}@`, `${scheme}://${escaped}@`]),
				...["ssl", "tls", "tcps", "mqtts"].map((scheme) => `${scheme}://${escaped}@`),
				`ws://${raw}@`,
			].map((start) => {
				const kind = start.slice(0, start.indexOf(":"));
				if (kind === "ws") return `${start}127.0.0.1:${ws}/mqtt?x=y`;
				return `${start}127.0.0.1:${/^(tcp|mqtt)$/i.test(kind) ? port : tls}`;
			});
			const parts = urls.map((url, n) =>
				component({ name: `c${n}`, url, ...OUTPUT, ...(/^(ssl|tls|tcps|mqtts)/.test(url) && { caCert: ca.cert }) }),
			);
			await using sidecar = await startSidecar({ components: parts.join(""), args: ["--log-level", "debug"] });
			await untilReady(sidecar);
			for (const n of urls.keys()) {
				const create = { operation: "create", data: n, metadata: { topic: "out/x" } };
				expect((await sidecar.create(`c${n}`, create)).status).toBe(204);
			}
			const said = [...sidecar.output, await sidecar.metrics()].join("\n");
			for (const secret of [PASSWORD, "p@ss", encodeURIComponent(PASSWORD)]) expect(said).not.toContain(secret);

			for (const [url, word] of WRONG) {
				await using bad = await launchSidecar({ components: component({ url }) });
				expect((await bad.exited).code).toBe(1);
				const text = bad.output.join("\n");
				expect(text).toMatch(word);
				expect(text).toMatch(/components\.yaml:\d+/);
				expect(text).not.toContain("canary");
			}
			seen(
				`${urls.length} URLs connected and published; ${WRONG.length} refused with file, line and reason; no password anywhere`,
			);
		},
		60_000,
	);
});
