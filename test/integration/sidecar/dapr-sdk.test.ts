import { describe, expect, test } from "vitest";
import { type DaprSdk, type DaprSdkOptions, startDaprSdk } from "../../support/dapr-sdk.js";
import { eventually } from "../../support/eventually.js";
import { freePort } from "../../support/free-port.js";
import { describeWith } from "../../support/left-out.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { type SidecarOptions, type SidecarProcess, startSidecar } from "../../support/sidecar-process.js";
import { component, untilReady } from "./component.js";
import { texts } from "./line.js";

const PROTOCOLS = ["HTTP", "GRPC"] as const;
/** Over HTTP data is JSON text, over gRPC a string's own bytes. */
const QUOTED = { HTTP: '"hello"', GRPC: "hello" };
/** `null` is JSON as well; over gRPC the SDK leaves it out. */
const NULL = { HTTP: "null", GRPC: "" };
const TOKEN = "canary-token";

/** Broker, sidecar with ports that it keeps, and an app with Dapr's SDK that speaks `protocol`. */
async function start(protocol: DaprSdkOptions["protocol"], options: Partial<SidecarOptions> = {}) {
	const parts: AsyncDisposable[] = [];
	const use = <T extends AsyncDisposable>(part: T): T => {
		parts.push(part);
		return part;
	};
	const end = async () => {
		for (const part of parts.reverse()) await part[Symbol.asyncDispose]();
	};
	try {
		const broker = use(await startMosquitto());
		const ports = { HTTP: await freePort(), GRPC: await freePort() };
		const { args = [], ...others } = options;
		const sidecar = use(
			await startSidecar({
				components: component({ url: broker.url, topic: "out/default", direction: "output" }),
				httpPort: ports.HTTP,
				args: ["--dapr-grpc-port", String(ports.GRPC), ...args],
				...others,
			}),
		);
		await untilReady(sidecar);
		const device = use(await connectDevice(broker.url));
		await device.subscribe("out/#");
		const sdk = async (token?: string) =>
			use(await startDaprSdk({ protocol, port: ports[protocol], ...(token !== undefined && { token }) }));
		return { broker, sidecar, device, sdk, [Symbol.asyncDispose]: end };
	} catch (error) {
		await end();
		throw error;
	}
}

describeWith("mosquitto", "Dapr's SDK for JavaScript, as it comes", () => {
	describe.each(PROTOCOLS)("over %s", (protocol) => {
		test("sends texts, objects and null, to the component's topic and the request's, retained or not", async () => {
			await using line = await start(protocol);
			const { device } = line;
			const sdk = await line.sdk();
			await sdk.send("orders", "create", "hello");
			await sdk.send("orders", "create", { celsius: 21.5, html: "<b>" }, { topic: "out/object" });
			await sdk.send("orders", "create", "kept", { topic: "out/kept", retain: "true" });
			await sdk.send("orders", "create", null, { topic: "out/null" });
			const messages = await device.received(4);
			expect(messages.map(({ topic, payload }) => [topic, payload.toString()])).toEqual([
				["out/default", QUOTED[protocol]],
				["out/object", '{"celsius":21.5,"html":"<b>"}'],
				["out/kept", QUOTED[protocol].replace("hello", "kept")],
				["out/null", NULL[protocol]],
			]);
			await using late = await connectDevice(line.broker.url);
			await late.subscribe("out/#");
			expect((await late.received(1)).map(({ topic, retain }) => [topic, retain])).toEqual([["out/kept", true]]);
		});

		test("hears what was wrong: operation, binding, topic", async () => {
			await using line = await start(protocol);
			const sdk = await line.sdk();
			const cases = [
				["orders", "delete", {}, 13, /binding orders does not support operation delete\. supported operations:create/],
				["nobody", "create", {}, 13, /couldn't find output binding nobody/],
				["orders", "create", { topic: "a/#" }, 3, /wildcard/],
			] as const;
			for (const [name, operation, metadata, code, message] of cases) {
				const error = await sdk.send(name, operation, "x", metadata).catch((reason: unknown) => reason);
				expect(error).toMatchObject({
					message: expect.stringMatching(message),
					code: protocol === "GRPC" ? code : null,
				});
			}
		});

		test("starts only with the token, where one is set", async () => {
			await using line = await start(protocol, { env: { DAPR_API_TOKEN: TOKEN } });
			await expect((await line.sdk()).send("orders", "create", "x")).rejects.toThrow(/COULD_NOT_BE_STARTED/);
			await expect((await line.sdk("wrong")).send("orders", "create", "x")).rejects.toThrow(/COULD_NOT_BE_STARTED/);
			await (await line.sdk(TOKEN)).send("orders", "create", "hello");
			expect(texts(await line.device.received(1))).toEqual([QUOTED[protocol]]);
			expect(line.sidecar.output.join("\n")).not.toContain(TOKEN);
		});

		test("reads and writes the sidecar's metadata", async () => {
			await using line = await start(protocol);
			const sdk = await line.sdk();
			expect(await sdk.call("metadata.set", "appCommand", "node app.js")).toBe(true);
			expect(await sdk.call("metadata.get")).toMatchObject({
				id: "test-app",
				components: [{ name: "orders", type: "bindings.mqtt3", version: "v1", capabilities: ["OUTPUT_BINDING"] }],
				extended: { appCommand: "node app.js", daprRuntimeVersion: expect.any(String) },
			});
		});

		test("goes on when the sidecar was restarted", async () => {
			await using line = await start(protocol);
			const sdk = await line.sdk();
			await sdk.send("orders", "create", "before");
			await line.sidecar.stop();
			await expect(sdk.send("orders", "create", "meanwhile")).rejects.toThrow();
			await restart(line.sidecar);
			await sendUntilTaken(sdk, "after");
			const arrived = texts(await line.device.received(2));
			expect(arrived.map((text) => text.replaceAll('"', ""))).toEqual(["before", "after"]);
		});

		test("may ask the sidecar to stop", async () => {
			await using line = await start(protocol);
			await (await line.sdk()).call("sidecar.shutdown");
			expect(await line.sidecar.exited).toEqual({ code: 0, signal: null });
		});
	});

	test("hundreds of sends at once over one connection all arrive", async () => {
		await using line = await start("GRPC");
		const sdk = await line.sdk();
		const numbers = Array.from({ length: 400 }, (_, index) => String(index));
		await Promise.all(numbers.map((number) => sdk.send("orders", "create", number)));
		expect(new Set(texts(await line.device.received(400)))).toEqual(new Set(numbers));
	});
});

async function restart(sidecar: SidecarProcess): Promise<void> {
	await sidecar.start();
	await untilReady(sidecar);
}

/** The SDK may find out only now that its connection is gone. */
async function sendUntilTaken(sdk: DaprSdk, text: string): Promise<void> {
	await eventually(() => sdk.send("orders", "create", text));
}
