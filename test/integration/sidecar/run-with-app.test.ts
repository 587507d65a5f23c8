import { expect, onTestFinished, test } from "vitest";
import { AppLog } from "../../support/app-log.js";
import { type AppScript, appCommand } from "../../support/app-process.js";
import { freePort } from "../../support/free-port.js";
import { describeWith } from "../../support/left-out.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { type SidecarOptions, startSidecar } from "../../support/sidecar-process.js";
import { tempFolder } from "../../support/temp-folder.js";
import { component, untilReady } from "./component.js";
import { numbers, texts } from "./line.js";

/** A broker with a device, and a sidecar that has started its app by itself. */
async function startAll(script: AppScript, options: Partial<SidecarOptions> = {}) {
	const broker = await startMosquitto();
	onTestFinished(() => broker[Symbol.asyncDispose]());
	const folder = await tempFolder();
	onTestFinished(() => folder[Symbol.asyncDispose]());
	const logFile = `${folder.path}/app.log`;
	const port = await freePort();
	const sidecar = await startSidecar({
		components: component({ url: broker.url }),
		appPort: port,
		command: appCommand(port, logFile, script),
		...options,
	});
	onTestFinished(() => sidecar[Symbol.asyncDispose]());
	const device = await connectDevice(broker.url);
	onTestFinished(() => device[Symbol.asyncDispose]());
	await untilReady(sidecar);
	return { broker, sidecar, device, port, logFile, app: new AppLog(logFile) };
}

describeWith("mosquitto", "mqtt3-binding run -- app", () => {
	test("Ctrl-C: what is at the app is answered and acknowledged first, then the app is asked to end, then all ends with 0", async () => {
		const { broker, sidecar, device, app, port } = await startAll({ delayMs: 500 });
		await sidecar.line(new RegExp(`^== APP == listening on http://127\\.0\\.0\\.1:${port}$`));
		await device.publishAll(10, (index) => ({ topic: "in/a", payload: String(index) }));
		await expect.poll(() => app.requests().length, { timeout: 5_000 }).toBe(10);
		expect(await sidecar.stop({ signal: "SIGINT" })).toEqual({ code: 0, signal: null });
		expect(texts(app.accepted()).sort()).toEqual(numbers(10));
		expect(
			sidecar.output.filter((line) => /msg="stop/.test(line)).map((line) => /msg="(.*?)"/.exec(line)?.[1]),
		).toEqual(["stopping: SIGINT", "stopped"]);
		// DISCONNECT, not a cut connection.
		await broker.line(/Client sidecar-orders disconnected\./);
	});

	test("an app that dies in the middle of a message ends the sidecar with its code; the message comes again at the next start", async () => {
		const { sidecar, device, app, port, logFile } = await startAll({ rules: [{ payloads: ["deadly"], end: "exit" }] });
		await device.publish("in/a", "deadly");
		expect(await sidecar.exited).toEqual({ code: 1, signal: null });
		expect(sidecar.output.join("\n")).toContain("stopping: the app ended with exit code 1");
		expect(app.accepted()).toEqual([]);
		await using next = await startSidecar({
			resourcesPath: sidecar.resourcesPath,
			appPort: port,
			command: appCommand(port, logFile),
		});
		expect(texts(await app.acceptedAtLeast(1))).toEqual(["deadly"]);
		expect(app.accepted()[0]!.headers).toMatchObject({ duplicate: "true" });
		await next.stop();
	});

	test("POST /v1.0/shutdown, with the app that it started", async () => {
		const { sidecar, device, app } = await startAll({ delayMs: 300 });
		await device.publish("in/a", "last");
		await expect.poll(() => app.requests().length, { timeout: 5_000 }).toBe(1);
		expect((await fetch(`${sidecar.url}/v1.0/shutdown`, { method: "POST" })).status).toBe(204);
		expect(await sidecar.exited).toEqual({ code: 0, signal: null });
		expect(texts(app.accepted())).toEqual(["last"]);
	});

	test("an app that hangs: exit after the grace period with 1, and nobody is left", async () => {
		const { sidecar, device, app, port } = await startAll(
			{ end: "hang" },
			{ args: ["--dapr-graceful-shutdown-seconds", "1"] },
		);
		await device.publish("in/a", "stuck");
		await expect.poll(() => app.requests().length, { timeout: 5_000 }).toBe(1);
		const started = performance.now();
		expect(await sidecar.stop()).toEqual({ code: 1, signal: null });
		expect(performance.now() - started).toBeLessThan(3_000);
		await expect(fetch(`http://127.0.0.1:${port}`)).rejects.toThrow();
	});
});
