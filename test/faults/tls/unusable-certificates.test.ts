import { createPrivateKey } from "node:crypto";
import { createServer } from "node:net";
import { expect } from "vitest";
import { type ComponentFields, component } from "../../integration/sidecar/component.js";
import { createCa, createSelfSigned } from "../../support/certificates.js";
import { listen } from "../../support/connection-recorder.js";
import { launchSidecar } from "../../support/sidecar-process.js";
import { tempFolder } from "../../support/temp-folder.js";
import { fault } from "../support/fault.js";

const CANARY = "canary-nobody-may-see-this";

fault(
	{
		rows: ["F-49", "S-42"],
		injected: "certificates and keys that can't be used, each in a component of its own",
	},
	"each is named with component, file and line, and why; exit code 1, no attempt to connect, no secret",
	async ({ seen }) => {
		let connections = 0;
		const server = createServer((socket) => {
			connections++;
			socket.destroy();
		});
		const url = `mqtts://127.0.0.1:${await listen(server)}`;
		const ca = await createCa();
		const past = { notBefore: new Date(Date.now() - 2e9), notAfter: new Date(Date.now() - 1e9) };
		const [ours, other, expired] = await Promise.all([ca.issue(), ca.issue(), createSelfSigned(past)]);
		const encrypted = createPrivateKey(ours.key)
			.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: CANARY })
			.toString();
		const rows: readonly (readonly [fields: Partial<ComponentFields>, expected: RegExp])[] = [
			[{ clientKey: ours.key }, /clientKey.*clientCert/],
			[{ clientCert: ours.cert }, /clientCert.*clientKey/],
			[{ caCert: "nonsense" }, /caCert.*PEM/],
			[{ clientCert: CANARY, clientKey: ours.key }, /clientCert.*PEM/],
			[{ clientCert: ours.cert, clientKey: other.key }, /clientKey.*match/],
			[{ clientCert: expired.cert, clientKey: expired.key }, /clientCert.*expired/],
			[{ caCert: "file:/nowhere/ca.pem" }, /caCert.*\/nowhere\/ca\.pem/],
			[{ clientCert: ours.cert, clientKey: encrypted }, /clientKey.*encrypted.*clientKeyPassphrase/],
			[
				{ clientCert: ours.cert, clientKey: encrypted, clientKeyPassphrase: `not-${CANARY}` },
				/clientKeyPassphrase|clientKey.*passphrase/,
			],
		];
		const files = rows.map(([fields], index) => [
			`row-${index}.yaml`,
			component({ name: `row-${index}`, url, ...fields }),
		]);
		await using folder = await tempFolder(Object.fromEntries(files));
		await using sidecar = await launchSidecar({ resourcesPath: folder.path });
		expect((await sidecar.exited).code).toBe(1);
		const errors = sidecar.output.filter((line) => line.startsWith("error: "));
		for (const [index, [, expected]] of rows.entries()) {
			const own = errors.filter((line) => line.includes(`"row-${index}"`));
			expect(own, `row ${index}`).toEqual([expect.stringMatching(expected)]);
			expect(own[0]).toContain(`row-${index}.yaml:`);
		}
		expect(errors).toHaveLength(rows.length);
		const said = sidecar.output.join("\n");
		for (const { key } of [ours, other, expired]) expect(said).not.toContain(key.split("\n")[1]);
		for (const line of encrypted.split("\n").slice(1, 3)) expect(said).not.toContain(line);
		expect(said).not.toContain(CANARY);
		expect(connections).toBe(0);
		server.close();
		seen(`${rows.length} components, ${errors.length} errors with file and line, exit code 1, 0 connections`);
	},
);
