import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished } from "vitest";
import { component, logged, untilReady } from "../../integration/sidecar/component.js";
import { distinct, numbers, texts } from "../../integration/sidecar/line.js";
import { startApp } from "../../support/app-process.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { startSidecar } from "../../support/sidecar-process.js";
import { fault } from "../support/fault.js";

/** Answers as Vault's KV version 2 does, with the password of the moment. */
async function startVault(password: () => string): Promise<string> {
	const server = createServer(({ url }, response) => {
		const data = url?.includes("/mounts/")
			? { type: "kv", options: { version: "2" } }
			: { data: { password: password() } };
		response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ data }));
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	onTestFinished(() => {
		server.closeAllConnections();
		server.close();
	});
	return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

fault(
	{
		rows: ["F-79", "S-19"],
		injected:
			"mosquitto's password file is replaced and taken up (SIGHUP), which ends the connection; the secret store gets the new password when the broker has refused the old one twice; no file of ours changes",
		scale: "half a minute instead of an hour",
	},
	"a password that was changed at the broker is fetched again when the broker refuses the old one, and nothing is lost",
	async ({ seen }) => {
		let password = "first";
		let asked = 0;
		const vault = await startVault(() => {
			asked++;
			return password;
		});
		await using broker = await startMosquitto({ users: { app: "first", device: "d" } });
		await using app = await startApp();
		const store = `apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: vault }
spec:
  type: secretstores.hashicorp.vault
  metadata: [{ name: vaultAddr, value: "${vault}" }, { name: vaultToken, value: t }]
`;
		const orders = `${component({ url: broker.url, username: "app" })}    - name: password
      secretKeyRef: { name: mqtt, key: password }
auth: { secretStore: vault }
`;
		await using sidecar = await startSidecar({ components: store + orders, appPort: app.port });
		await untilReady(sidecar);
		const device = () => connectDevice(broker.url, { username: "device", password: "d" });
		await using first = await device();
		await first.publishAll(50, (index) => ({ topic: "in/a", payload: String(index) }));

		await broker.reload({ users: { app: "second", device: "d" } });
		await expect.poll(() => logged(sidecar, "connect-refused").length, { timeout: 40_000 }).toBeGreaterThan(1);
		await expect.poll(() => asked, { timeout: 20_000 }).toBeGreaterThan(2);
		await using second = await device();
		await second.publishAll(50, (index) => ({ topic: "in/a", payload: String(50 + index) }));
		expect((await sidecar.ready()).status).toBe(503);
		const changedAt = performance.now();
		password = "second";
		await sidecar.line(/: password\), and taken up.* code=component-reloaded /, 30_000);
		await untilReady(sidecar);
		const seconds = (performance.now() - changedAt) / 1_000;
		expect(distinct(texts(await app.acceptedAtLeast(100)))).toEqual(numbers(100));
		expect(sidecar.output.join("\n")).not.toContain('second"');
		expect(logged(sidecar, "component-reloaded")).toHaveLength(1);
		seen(`connected again ${seconds.toFixed(1)} s after the store had it; 100 of 100 accepted`);
	},
	120_000,
);
