import { expect } from "vitest";
import { component } from "../../integration/sidecar/component.js";
import { createCa } from "../../support/certificates.js";
import { eventually } from "../../support/eventually.js";
import { HttpApp } from "../../support/http-app.js";
import { describeWith } from "../../support/left-out.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { launchSidecar, type SidecarProcess, startSidecar } from "../../support/sidecar-process.js";
import { fault } from "../support/fault.js";

const STORE = `---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: env }
spec: { type: secretstores.local.env, version: v1, metadata: [] }
`;

/** A component of which some fields come from the environment through the secret store. */
function withSecrets(fields: Parameters<typeof component>[0], secrets: Readonly<Record<string, string>>): string {
	const items = Object.entries(secrets).map(
		([field, name]) => `    - { name: ${field}, secretKeyRef: { name: ${name}, key: ${name} } }\n`,
	);
	return `${STORE}${component(fields)}${items.join("")}auth: { secretStore: env }\n`;
}

/** What becomes of a message that the app refuses: each writes its own line. */
const REFUSALS = {
	hold: { onRetriesExhausted: "hold" },
	drop: { onRetriesExhausted: "drop" },
	"dead-letter": { deadLetterTopic: "dead" },
};

const canary = (what: string) => `canary-${what}-5f1c`;

/** All that a sidecar says to anybody who asks. */
async function everything(sidecar: SidecarProcess, headers: Record<string, string>): Promise<string> {
	const paths = ["/v1.0/healthz/ready", "/v1.0/metadata", "/v1.0/healthz", "/v1.0/healthz/outbound", "/nowhere"];
	const ask = async (path: string, sent: Record<string, string>) =>
		(await fetch(sidecar.url + path, { headers: sent })).text();
	const answers = await Promise.all(paths.flatMap((path) => [ask(path, {}), ask(path, headers)]));
	const create = await sidecar.create(
		"orders",
		{ operation: "create", data: 1, metadata: { topic: "out/x" } },
		{ headers },
	);
	return [...sidecar.output, ...answers, await create.text(), await sidecar.metrics()].join("\n");
}

describeWith("mosquitto", "secrets", () => {
	fault(
		{
			rows: ["S-43"],
			injected:
				"secrets in every field that takes one and in a payload, and failures of many kinds: refused by the broker, TLS that does not fit, no broker, wrong tokens, messages held, dropped and dead-lettered",
		},
		"none is in a line of the log, a metric, readiness, metadata or an error",
		async ({ seen }) => {
			const ca = await createCa();
			const { cert, key } = await ca.issue({ ipAddresses: ["127.0.0.1"] });
			await using broker = await startMosquitto({ users: { someone: "else" }, tls: { cert, key } });
			await using app = await HttpApp.start(() => ({ status: 500, body: "no" }));
			const env = {
				DAPR_API_TOKEN: canary("api-token"),
				APP_API_TOKEN: canary("app-token"),
				SECRET_PASSWORD: canary("password"),
				SECRET_USER: canary("user"),
			};
			const headers = { "dapr-api-token": canary("api-token") };
			const userInfo = `${canary("url-user")}:${canary("url-password")}`;
			const components = [
				withSecrets(
					{ name: "orders", url: broker.url, publishTimeout: "300ms" },
					{ username: "SECRET_USER", password: "SECRET_PASSWORD" },
				),
				component({ name: "url", url: broker.url.replace("://", `://${userInfo}@`) }),
				component({ name: "dead", url: `mqtt://${userInfo}@127.0.0.1:1` }),
				component({ name: "tls", url: `mqtts://${userInfo}@127.0.0.1:${new URL(broker.tlsUrl!).port}` }),
				...Object.entries(REFUSALS).map(([name, fields]) =>
					component({
						name,
						url: broker.url,
						username: "someone",
						password: "else",
						direction: "input, output",
						...fields,
					}),
				),
				component({ name: "ws", url: `ws://${userInfo}@127.0.0.1:${broker.port}/mqtt?x=y` }),
			].join("");
			const args = ["--log-level", "debug", "--enable-api-logging"];
			await using sidecar = await startSidecar({ components, appPort: app.port, env, args });
			const causes = /code=(connect-refused|connect-failed) /;
			await eventually(
				() => {
					for (const name of ["orders", "url", "dead", "tls", "ws"]) {
						expect(
							sidecar.output.filter((line) => causes.test(line) && line.includes(`component=${name} `)),
						).not.toHaveLength(0);
					}
				},
				{ timeoutMs: 20_000 },
			);
			await sidecar.create("orders", { operation: "create" }, { headers: { "dapr-api-token": canary("wrong") } });
			const create = { operation: "create", data: canary("payload"), metadata: { topic: "in/x" } };
			expect((await sidecar.create("hold", create, { headers })).status).toBe(204);
			await eventually(
				async () => {
					const metrics = await sidecar.metrics();
					expect(metrics).toMatch(/mqtt3_binding_held\{component="hold".* 1$/m);
					expect(metrics).toMatch(/mqtt3_binding_dropped_total\{component="drop",reason="retries-exhausted".* 1$/m);
					expect(metrics).toMatch(/mqtt3_binding_dead_lettered_total\{component="dead-letter".* 1$/m);
				},
				{ timeoutMs: 15_000 },
			);
			const said = await everything(sidecar, headers);
			expect(said).toMatch(/not authori[sz]ed|bad user name|return code/i);
			expect(said).not.toContain("canary");
			await sidecar.stop();
			expect(sidecar.output.join("\n")).not.toContain("canary");

			const { key: otherKey } = await ca.issue();
			const wrongs: readonly (readonly [fields: Record<string, string>, secrets: readonly string[]])[] = [
				[
					{ clientCert: cert, clientKey: otherKey, clientKeyPassphrase: canary("passphrase") },
					[otherKey.split("\n")[1]!],
				],
				[{ clientCert: cert, clientKey: canary("key") }, []],
				[{ password: canary("password"), keepAlive: "never" }, []],
				[{ username: canary("user"), password: canary("password"), qos: canary("qos").replace("canary", "bird") }, []],
			];
			for (const [fields, secrets] of wrongs) {
				await using bad = await launchSidecar({ components: component({ url: "mqtts://127.0.0.1:1", ...fields }) });
				expect((await bad.exited).code).toBe(1);
				for (const secret of ["canary", ...secrets]) expect(bad.output.join("\n")).not.toContain(secret);
			}
			seen(
				`failures of eight kinds, ${said.length} characters of log, metrics, readiness, metadata and errors, and ${wrongs.length} refused starts: no canary`,
			);
		},
		60_000,
	);

	fault(
		{ rows: ["S-50"], injected: "the secret store gives an empty clientKey; {podName} in consumerID with no POD_NAME" },
		"the start ends with the field's name",
		async ({ seen }) => {
			const ca = await createCa();
			const { cert } = await ca.issue();
			const empty = withSecrets({ url: "mqtts://127.0.0.1:1", clientCert: cert }, { clientKey: "EMPTY_KEY" });
			await using noKey = await launchSidecar({ components: empty, env: { EMPTY_KEY: "" } });
			expect((await noKey.exited).code).toBe(1);
			const key = noKey.output.find((line) => line.includes("clientKey"));
			expect(key).toMatch(/components\.yaml:\d+/);
			const unresolved = component({ url: "mqtt://127.0.0.1:1", consumerID: "{podName}" });
			await using noPod = await launchSidecar({ components: unresolved, env: { POD_NAME: undefined } });
			expect((await noPod.exited).code).toBe(1);
			const pod = noPod.output.find((line) => line.includes("consumerID"));
			expect(pod).toMatch(/podName|POD_NAME/);
			seen([key, pod].map((line) => line!.replace(/\(\S+components/g, "(…components")).join("; "));
		},
	);
});
