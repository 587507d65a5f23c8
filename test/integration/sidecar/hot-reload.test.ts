import { rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { startApp } from "../../support/app-process.js";
import { createCa } from "../../support/certificates.js";
import { eventually } from "../../support/eventually.js";
import { describeWith } from "../../support/left-out.js";
import { type Mosquitto, startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { type SidecarProcess, startSidecar } from "../../support/sidecar-process.js";
import { tempFolder } from "../../support/temp-folder.js";
import { component, logged, reasons, untilReady, untilReason } from "./component.js";
import { Creator } from "./creator.js";
import { distinct, numbers, startLine, texts } from "./line.js";

/** Overwrites the component file where it lies. */
async function write({ resourcesPath }: SidecarProcess, text: string, file = "components.yaml"): Promise<void> {
	await writeFile(join(resourcesPath, file), text);
}

async function untilLogged(sidecar: SidecarProcess, code: string, times = 1): Promise<readonly string[]> {
	return await eventually(
		() => {
			const lines = logged(sidecar, code);
			expect(lines.length).toBeGreaterThanOrEqual(times);
			return lines;
		},
		{ timeoutMs: 15_000 },
	);
}

/** The client identifiers that have connected, each as often as it did. */
function clients({ log }: Mosquitto): readonly string[] {
	return log.flatMap((line) => /New client connected from \S+ as (sidecar\S+)/.exec(line)?.[1] ?? []);
}

describeWith("mosquitto", "a component file that changes while messages flow", () => {
	test("another topic is read, the old one is left, and the other component keeps its connection", async () => {
		await using broker = await startMosquitto();
		await using app = await startApp();
		const other = component({ name: "other", url: broker.url, topic: "other/#" });
		const components = component({ url: broker.url }) + other;
		await using sidecar = await startSidecar({ components, appPort: app.port });
		await untilReady(sidecar);
		await using device = await connectDevice(broker.url);
		await device.publish("in/1", "1");
		await app.acceptedAtLeast(1);

		await write(sidecar, component({ url: broker.url, topic: "new/#" }) + other);
		const [line] = await untilLogged(sidecar, "component-reloaded");
		expect(line).toMatch(/component \\?"orders\\?" changed \(\S+components\.yaml:\d+: topic\), and taken up/);
		await untilReady(sidecar);
		await device.publish("in/2", "of the old topic");
		await device.publish("new/2", "2");
		await device.publish("other/3", "3");
		expect(texts(await app.acceptedAtLeast(3)).sort()).toEqual(["1", "2", "3"]);
		expect(app.probes()).toHaveLength(2);
		expect(clients(broker).toSorted()).toEqual(["sidecar-orders", "sidecar-orders", "sidecar-other"]);
	});

	test("a bad file is told with its line, what ran goes on, and a repaired one is taken up", async () => {
		await using line = await startLine();
		const { broker, app, sidecar, device } = line;
		await write(sidecar, component({ url: broker.url, qos: 7 }));
		const [refused] = await untilLogged(sidecar, "change-refused");
		expect(refused).toMatch(
			/what runs goes on: component \\?"orders\\?" \(\S+components\.yaml:\d+\): field \\?"qos\\?"/,
		);
		expect(await untilReason(sidecar, "change-refused")).toMatchObject({ blocking: false });
		expect((await sidecar.ready()).status).toBe(200);
		await write(sidecar, "kind: Component\nmetadata: [");
		await untilLogged(sidecar, "change-refused", 2);
		await device.publish("in/1", "1");
		await app.acceptedAtLeast(1);
		expect(clients(broker)).toHaveLength(1);

		await write(sidecar, component({ url: broker.url, qos: 2 }));
		await untilLogged(sidecar, "component-reloaded");
		await eventually(async () => expect(await reasons(sidecar)).toEqual([]));
		await device.publish("in/2", "2", { qos: 2 });
		const [, second] = await app.acceptedAtLeast(2);
		expect(second?.headers.qos).toBe("2");
	});

	test("components come and go; of one that goes readiness says nothing more, the log says what stays at the broker", async () => {
		await using line = await startLine();
		const { broker, app, sidecar, device } = line;
		await write(sidecar, component({ name: "late", url: broker.url, topic: "late/#" }), "late.yml");
		await untilLogged(sidecar, "component-reloaded");
		await untilReady(sidecar);
		await device.publish("late/1", "1");
		await app.acceptedAtLeast(1);
		expect(app.requests().find(({ method }) => method === "POST")?.path).toBe("/late");

		await rm(join(sidecar.resourcesPath, "late.yml"));
		await untilLogged(sidecar, "component-removed");
		const [left] = logged(sidecar, "session-left");
		expect(left).toContain("sidecar-late");
		expect((await sidecar.create("late", { operation: "create", data: 1 })).status).toBe(500);
		expect((await sidecar.ready()).status).toBe(200);
		await device.publish("late/2", "2");
		await device.publish("in/3", "3");
		expect(texts(await app.acceptedAtLeast(2))).toEqual(["1", "3"]);
	});

	test("one component may take the session of another that goes", async () => {
		await using line = await startLine();
		const { broker, app, sidecar, device } = line;
		await write(sidecar, component({ name: "renamed", url: broker.url, consumerID: "sidecar-orders" }));
		await sidecar.line(/component \\"renamed\\" added .* and taken up/);
		expect(logged(sidecar, "change-refused")).toEqual([]);
		expect(logged(sidecar, "session-left")).toEqual([]);
		await untilReady(sidecar);
		await device.publish("in/1", "1");
		await app.acceptedAtLeast(1);
		expect(app.requests().find(({ method }) => method === "POST")?.path).toBe("/renamed");
	});

	test("each {uuid} stays what it was", async () => {
		await using line = await startLine({ fields: { consumerID: "sidecar-{uuid}", cleanSession: true } });
		const { broker, sidecar } = line;
		const fields = { consumerID: "sidecar-{uuid}", cleanSession: true, url: broker.url };
		await write(sidecar, component({ ...fields, topic: "new/#" }));
		await untilLogged(sidecar, "component-reloaded");
		await eventually(() => expect(clients(broker)).toHaveLength(2));
		const [first, second] = clients(broker);
		expect(first).toMatch(/^sidecar-[0-9a-f-]{36}$/);
		expect(second).toBe(first);
	});

	test("--hot-reload=false leaves all as it is until SIGHUP", async () => {
		await using line = await startLine({ sidecar: { args: ["--hot-reload=false"] } });
		const { broker, sidecar } = line;
		await write(sidecar, component({ url: broker.url, topic: "new/#" }));
		// Longer than changes are waited for.
		await delay(1_000);
		expect(clients(broker)).toHaveLength(1);
		sidecar.signal("SIGHUP");
		await untilLogged(sidecar, "component-reloaded");
		await untilReady(sidecar);
		expect(clients(broker)).toHaveLength(2);
	});

	test("a stop in the middle of a reload leaves nothing open", async () => {
		await using line = await startLine();
		const { broker, sidecar } = line;
		await write(sidecar, component({ url: broker.url, topic: "new/#" }));
		sidecar.signal("SIGHUP");
		await sidecar.line(/SIGHUP: looking/);
		expect((await sidecar.stop()).code).toBe(0);
		expect(sidecar.output.join("\n")).not.toMatch(/level=(error|fatal)/);
	});
});

describeWith("mosquitto", "ways of saving a file", () => {
	test("a new file renamed over the old one, and one that is emptied before it is written", async () => {
		await using line = await startLine();
		const { broker, sidecar } = line;
		const next = join(sidecar.resourcesPath, "components.yaml~");
		await writeFile(next, component({ url: broker.url, topic: "a/#" }));
		await rename(next, join(sidecar.resourcesPath, "components.yaml"));
		await untilLogged(sidecar, "component-reloaded");

		await write(sidecar, "");
		// Long enough to be seen as it is.
		await delay(500);
		await write(sidecar, component({ url: broker.url, topic: "b/#" }));
		await untilLogged(sidecar, "component-reloaded", 2);
		expect(logged(sidecar, "component-removed")).toEqual([]);

		// The old one is moved away first.
		const file = join(sidecar.resourcesPath, "components.yaml");
		await rename(file, `${file}.bak`);
		await delay(300);
		await write(sidecar, component({ url: broker.url, topic: "c/#" }));
		await untilLogged(sidecar, "component-reloaded", 3);
		expect(logged(sidecar, "component-removed")).toEqual([]);
	});

	test("a Kubernetes mount, where a symbolic link is turned to another folder", async () => {
		await using broker = await startMosquitto();
		await using app = await startApp();
		const [first, second] = ["a/#", "b/#"].map((topic) => component({ url: broker.url, topic }));
		await using mount = await tempFolder({});
		await mount.write("..1/orders.yaml", first!);
		await symlink("..1", join(mount.path, "..data"));
		await symlink("..data/orders.yaml", join(mount.path, "orders.yaml"));
		await using sidecar = await startSidecar({ resourcesPath: mount.path, appPort: app.port });
		await untilReady(sidecar);

		await mount.write("..2/orders.yaml", second!);
		await symlink("..2", join(mount.path, "..data_tmp"));
		await rename(join(mount.path, "..data_tmp"), join(mount.path, "..data"));
		await rm(join(mount.path, "..1"), { recursive: true });
		await untilLogged(sidecar, "component-reloaded");
		await untilReady(sidecar);
		await using device = await connectDevice(broker.url);
		await device.publish("b/1", "1");
		await app.acceptedAtLeast(1);
	});
});

describeWith("mosquitto", "what a component file names", () => {
	test("a changed secret file brings the new password", async () => {
		await using broker = await startMosquitto({ users: { app: "old", device: "d" } });
		await using app = await startApp();
		await using folder = await tempFolder({ "secrets.json": JSON.stringify({ password: "old" }) });
		const store = `apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: store }
spec:
  type: secretstores.local.file
  metadata: [{ name: secretsFile, value: ${folder.path}/secrets.json }]
`;
		const orders = `${component({ url: broker.url, username: "app" })}    - name: password
      secretKeyRef: { name: password }
auth: { secretStore: store }
`;
		await using sidecar = await startSidecar({ components: store + orders, appPort: app.port });
		await untilReady(sidecar);
		await broker.stop();
		await broker.start({ users: { app: "new", device: "d" } });
		await sidecar.line(/code=connect-refused /);
		await folder.write("secrets.json", JSON.stringify({ password: "new" }));
		const [line] = await untilLogged(sidecar, "component-reloaded");
		expect(line).toContain(": password), and taken up");
		expect(sidecar.output.join("\n")).not.toMatch(/"(old|new)"/);
		await untilReady(sidecar);
	});

	test("a changed certificate is shown at once, over one new connection", async () => {
		const ca = await createCa();
		const [first, second] = [await ca.issue({ commonName: "first" }), await ca.issue({ commonName: "second" })];
		const server = await ca.issue({ ipAddresses: ["127.0.0.1"] });
		await using broker = await startMosquitto({ tls: { ...server, clientCa: ca.cert } });
		await using app = await startApp();
		await using folder = await tempFolder({ "ca.pem": ca.cert, "a.crt": first.cert, "a.key": first.key });
		const file = (name: string) => `file:${join(folder.path, name)}`;
		const components = component({
			url: broker.tlsUrl!,
			caCert: file("ca.pem"),
			clientCert: file("a.crt"),
			clientKey: file("a.key"),
		});
		await using sidecar = await startSidecar({ components, appPort: app.port });
		await untilReady(sidecar);
		// The key alone fits no certificate: what runs goes on.
		await folder.write("a.key", second.key);
		await untilLogged(sidecar, "change-refused");
		await folder.write("a.crt", second.cert);
		const [line] = await untilLogged(sidecar, "component-reloaded");
		expect(line).toMatch(/clientCert, clientKey\), and taken up|clientKey, clientCert\), and taken up/);
		await untilReady(sidecar);
		expect(clients(broker)).toHaveLength(2);
	});
});

describeWith("mosquitto", "messages over reloads", () => {
	test("none is lost either way, and none comes twice that was not in flight", async () => {
		// So that there are always some at the app when a reload begins.
		await using line = await startLine({ app: { rules: [{ delayMs: [50, 150] }] } });
		const { broker, app, sidecar, device } = line;
		await using observer = await connectDevice(broker.url);
		await observer.subscribe("out/x");
		const creator = new Creator(sidecar, "orders", "out/x");
		creator.start(4);
		const count = 4_000;
		const publishing = (async () => {
			for (let from = 0; from < count; from += 40) {
				await device.publishAll(40, (index) => ({ topic: "in/x", payload: String(from + index) }));
				await delay(60);
			}
		})();
		for (let round = 0; round < 4; round++) {
			await write(sidecar, component({ url: broker.url, maxInFlight: 100 + round }));
			await untilLogged(sidecar, "component-reloaded", round + 1);
			await delay(300);
		}
		await publishing;
		await app.acceptedAtLeast(count, 30_000);
		await creator.stop();
		const accepted = texts(app.accepted());
		expect(distinct(accepted)).toEqual(numbers(count));
		// Handlers are waited for, so that nothing is in flight when the session goes over.
		expect(accepted.length - count).toBe(0);
		expect(creator.failures).toEqual([]);
		expect(creator.unanswered).toEqual([]);
		await creator.checkAgainst(observer, broker);
		const arrived = texts(observer.messages).filter((text) => text !== "last");
		expect(arrived.length).toBe(new Set(arrived).size);
	});
});
