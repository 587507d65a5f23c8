import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createCa } from "../support/certificates.js";
import { describeWith } from "../support/left-out.js";
import { startMosquitto } from "../support/mosquitto.js";
import { startScriptedBroker } from "../support/scripted-broker.js";
import { startSidecar } from "../support/sidecar-process.js";
import { tempFolder } from "../support/temp-folder.js";
import { type ComponentFields, component, metric, untilReady } from "./sidecar/component.js";

const MAIN = join(import.meta.dirname, "..", "..", "dist", "cli", "main.js");

/** What `check` says of one component, without the line that names it, and its exit code. */
async function check(fields: ComponentFields, ...args: readonly string[]) {
	await using folder = await tempFolder({ "c/orders.yaml": component(fields) });
	return await new Promise<{ steps: readonly string[]; code: number | null }>((resolve, reject) => {
		const child = spawn(process.execPath, [MAIN, "check", "c", ...args], { cwd: folder.path, timeout: 30_000 });
		let output = "";
		for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
		child.on("error", reject);
		child.on("close", (code) => {
			const steps = output
				.split("\n")
				.filter((line) => line.startsWith("  "))
				.map((line) => line.trim().replace(/ +/g, " "));
			resolve({ steps, code });
		});
	});
}

describeWith("mosquitto", "mqtt3-binding check", () => {
	test("a tick for each step that works, a group included; what runs with the same consumerID is not touched", async () => {
		await using broker = await startMosquitto({ logPackets: true });
		const fields = { url: broker.url, consumerGroup: "g" };
		await using sidecar = await startSidecar({ components: component(fields) });
		await untilReady(sidecar);
		const { steps, code } = await check(fields);
		expect(steps).toEqual([
			expect.stringMatching(/^✓ TCP port \d+ answers$/),
			expect.stringMatching(/^✓ CONNACK accepted as sidecar-orders-check-[0-9a-f]{8}$/),
			expect.stringMatching(/^✓ SUBACK "mqtt3-binding\/check\/[0-9a-f]{8}" granted as asked$/),
			expect.stringMatching(/^✓ round trip published, acknowledged and received in [\d.]+ ms$/),
			"✓ shared group granted, and a message came",
		]);
		expect(code).toBe(0);
		expect(await metric(sidecar, "mqtt3_binding_connects_total{")).toBe(1);
		// A clean session each, which leaves nothing; and nothing of the component's own was subscribed to or published.
		const lines = broker.log.filter((line) => line.includes("-check-")).join("\n");
		expect(lines).toMatch(/New client connected .* as sidecar-orders-check-[0-9a-f]{8} \(p2, c1/);
		expect(lines).not.toMatch(/\(p2, c0/);
		expect(lines).not.toMatch(/in\/#|\$share\/g\//);
	});

	test("TLS: the certificate's days; a cross with cause for one that is not trusted, and nothing after it", async () => {
		const [ca, other] = await Promise.all([createCa("Broker CA"), createCa("Other CA")]);
		const notAfter = new Date(Date.now() + 40 * 86_400_000);
		const own = await ca.issue({ commonName: "broker.test", ipAddresses: ["127.0.0.1"], notAfter });
		await using broker = await startMosquitto({ tls: own });
		const good = await check({ url: broker.tlsUrl!, caCert: ca.cert });
		expect(good.steps[1]).toMatch(
			/^✓ TLS TLSv1\.3; the certificate of broker\.test is trusted and lasts (39|40) days$/,
		);
		expect(good.code).toBe(0);
		const bad = await check({ url: broker.tlsUrl!, caCert: other.cert });
		expect(bad.steps).toEqual([
			expect.stringMatching(/^✓ TCP/),
			expect.stringMatching(/^✗ TLS .*certificate authority that is not trusted here|^✗ TLS .*self-signed/),
		]);
		expect(bad.code).toBe(1);
	});

	test("a wrong password, no broker, no such host: the step that fails, with its cause; no secret", async () => {
		await using broker = await startMosquitto({ users: { shop: "right" } });
		const refused = await check({ url: broker.url, username: "shop", password: "canary" });
		expect(refused.steps.at(-1)).toMatch(/^✗ CONNACK .*refused the connection: not authorised/);
		expect(refused.steps.join()).not.toContain("canary");
		const absent = await check({ url: "tcp://127.0.0.1:1" });
		expect(absent.steps).toEqual([expect.stringMatching(/^✗ TCP .*connection refused; nothing listens there$/)]);
		const unknown = await check({ url: "tcp://no-such-host.invalid" });
		expect(unknown.steps).toEqual([expect.stringMatching(/^✗ name .*the host name is not known|^✗ name .*looked up/)]);
		expect([refused.code, absent.code, unknown.code]).toEqual([1, 1, 1]);
	});

	test("an ACL that refuses the topic is no cross: it could not be tried; --probe-topic names one that may be used", async () => {
		await using broker = await startMosquitto({ users: { shop: "right" }, acl: "user shop\ntopic readwrite shop/#\n" });
		const fields = { url: broker.url, username: "shop", password: "right", topic: "shop/in" };
		const refused = await check(fields);
		expect(refused.steps.at(-1)).toMatch(/^\? (round trip|SUBACK) .*--probe-topic/);
		expect(refused.code).toBe(0);
		const allowed = await check(fields, "--probe-topic", "shop/probe", "--client-id", "probe-1");
		expect(allowed.steps).toContain("✓ CONNACK accepted as probe-1");
		expect(allowed.steps.at(-1)).toMatch(/^✓ round trip/);
	});
});

test("a broker that refuses the subscription, and one that grants QoS 0 where 1 was asked", async () => {
	await using broker = await startScriptedBroker();
	const answer = async (granted: number) => {
		const connection = await broker.accept(20_000);
		await connection.greet();
		await connection.grant([granted]);
	};
	const [refused] = await Promise.all([check({ url: broker.url }), answer(0x80)]);
	expect([refused.steps.at(-1), refused.code]).toEqual([
		expect.stringMatching(/^\? SUBACK .*\(0x80\).*--probe-topic/),
		0,
	]);
	const [lowered] = await Promise.all([check({ url: broker.url }), answer(0)]);
	expect([lowered.steps.at(-1), lowered.code]).toEqual([
		expect.stringMatching(/^✗ SUBACK QoS 0 was granted where 1/),
		1,
	]);
});
