import { once } from "node:events";
import { chown, readFile, truncate } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect } from "vitest";
import { component, metric, untilReady } from "../../integration/sidecar/component.js";
import { distinct, startLine, texts } from "../../integration/sidecar/line.js";
import { startApp } from "../../support/app-process.js";
import { eventually } from "../../support/eventually.js";
import { describeWith } from "../../support/left-out.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { launchSidecar } from "../../support/sidecar-process.js";
import { fault } from "../support/fault.js";
import { smallDisk } from "./small-disk.js";

const NOBODY = 65_534;

describeWith("mosquitto", "a disk", () => {
	describeWith("mount", "without room", () => {
		fault(
			{
				rows: ["F-75", "S-49"],
				injected: "the disk of --log-file is full, and later has room again",
				scale: "a tmpfs of 2 MiB, so that what waits fits in",
			},
			"no crash: messages flow, lines are lost and counted; with room again the log says so and goes on",
			async ({ seen }) => {
				await using disk = await smallDisk(2_048);
				const file = join(disk.path, "sidecar.log");
				await using broker = await startMosquitto();
				await using app = await startApp();
				await using sidecar = await launchSidecar({
					components: component({ url: broker.url }),
					appPort: app.port,
					args: ["--log-file", file, "--enable-api-logging", "--log-as-json"],
				});
				const lines = () => readFile(file, "utf8");
				const [, url] = await eventually(async () => {
					const found = /listening on (http:[^"]+)/.exec(await lines());
					if (found === null) throw new Error("it does not listen yet");
					return found;
				});
				const [, metricsUrl] = /metrics on (http:[^"]+)/.exec(await lines())!;
				disk.fill();
				for (let n = 0; n < 1_500; n++) await (await fetch(`${url}/${"x".repeat(900)}`)).arrayBuffer();
				const lost = await eventually(async () => {
					const text = await (await fetch(metricsUrl!)).text();
					return Number(/^mqtt3_binding_log_lines_dropped_total\S* (\d+)$/m.exec(text)?.[1]) || false;
				});
				await using device = await connectDevice(broker.url);
				await device.publish("in/a", "while the disk is full");
				await app.acceptedAtLeast(1);
				disk.free();
				await truncate(file);
				await eventually(async () => (await lines()).includes("lines of the log were lost"), {
					timeoutMs: 15_000,
				});
				expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
				seen(
					`${lost} lines lost and counted, a message accepted meanwhile; with room again the log said so; exit code 0`,
				);
			},
			60_000,
		);

		fault(
			{
				rows: ["F-75"],
				injected:
					"mosquitto's persistence is on a full disk, and mosquitto is killed and comes back with what it could save",
			},
			"what the broker lost shows as its loss; we do not crash, subscribe again, and acknowledge nothing that the app has not accepted",
			async ({ seen }) => {
				await using disk = await smallDisk();
				await using line = await startLine({
					broker: { persistence: true, autosaveInterval: 1, persistenceFolder: disk.path, logPackets: true },
				});
				const { broker, sidecar, device, app } = line;
				await device.publish("in/a", "before");
				await app.acceptedAtLeast(1);
				await app.kill();
				disk.fill();
				const payload = "x".repeat(2_000);
				for (let n = 0; n < 100; n++) await device.publish("in/a", `${n} ${payload}`);
				await broker.line(/[Nn]o space left|Error saving|Unable to (?:open|write)/, 20_000);
				await broker.kill();
				disk.free();
				const before = broker.log.length;
				await broker.start();
				await app.start();
				await untilReady(sidecar);
				await using again = await connectDevice(broker.url);
				await again.publish("in/a", "after");
				await eventually(() => expect(texts(app.accepted())).toContain("after"), { timeoutMs: 15_000 });
				await eventually(async () => expect(await metric(sidecar, "mqtt3_binding_unacknowledged{")).toBe(0));
				const logged = (what: string) => broker.log.slice(before).filter((entry) => entry.includes(what)).length;
				// The app has had "before" when the broker was killed; what came since, the broker has sent since.
				const sent = logged("Sending PUBLISH to sidecar-orders");
				const accepted = distinct(texts(app.accepted()).map((text) => text.split(" ")[0]!)).length - 1;
				expect(accepted).toBeGreaterThanOrEqual(sent);
				expect(logged("Received PUBACK from sidecar-orders")).toBe(sent);
				const sessionsLost = await metric(sidecar, "mqtt3_binding_sessions_lost_total{");
				expect(sessionsLost).toBe(logged("Sending CONNACK to sidecar-orders (0, 0)"));
				expect(logged("Received SUBSCRIBE from sidecar-orders")).toBe(1);
				expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
				seen(
					`mosquitto logged that it could not save; of 101 messages that it had acknowledged it sent ${sent} after its return, ${101 - sent} were lost with it (${sessionsLost === 0 ? "session resumed" : "session lost, said so"}); all ${sent} were accepted and acknowledged; exit code 0`,
				);
			},
			60_000,
		);

		fault(
			{
				rows: ["S-49"],
				injected:
					"the folder for the API's socket file, and for the log, is read-only; on the path of the socket file is another user's",
			},
			"the start ends with a word that names the flag, the path and the reason",
			async ({ seen }) => {
				await using disk = await smallDisk(64, "ro");
				const components = component({ url: "mqtt://127.0.0.1:1" });
				await using socket = await launchSidecar({ components, args: ["--unix-domain-socket", disk.path] });
				expect((await socket.exited).code).toBe(1);
				expect(socket.output.join("\n")).toMatch(/EROFS|read-only/i);
				expect(socket.output.join("\n")).toContain(disk.path);
				await using log = await launchSidecar({ components, args: ["--log-file", join(disk.path, "x.log")] });
				expect((await log.exited).code).toBe(1);
				expect(log.output.join("\n")).toMatch(/--log-file .*can't be opened \(EROFS\)/);
				await using shared = await smallDisk(64);
				const taken = join(shared.path, "dapr-test-app-http.socket");
				const server = createServer().listen(taken);
				await once(server, "listening");
				await chown(taken, NOBODY, NOBODY);
				await using foreign = await launchSidecar({ components, args: ["--unix-domain-socket", shared.path] });
				expect((await foreign.exited).code).toBe(1);
				server.close();
				expect(foreign.output.join("\n")).toContain(
					`--unix-domain-socket: ${taken}: a socket of another user is there`,
				);
				const said = [socket, log, foreign].map(({ output }) => output.at(-1)!);
				seen(said.join("; ").replaceAll(disk.path, "…").replaceAll(shared.path, "…"));
			},
		);
	});
});
