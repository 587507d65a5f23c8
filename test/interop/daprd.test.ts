import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { type AppScript, startApp } from "../support/app-process.js";
import { type ComponentProcessOptions, startComponent } from "../support/component-process.js";
import { startDaprd } from "../support/daprd-process.js";
import { eventually } from "../support/eventually.js";
import { describeWith } from "../support/left-out.js";
import { startMosquitto } from "../support/mosquitto.js";
import { connectDevice } from "../support/mqtt-device.js";
import { tempFolder } from "../support/temp-folder.js";

type Fields = Readonly<Record<string, string>>;

/** A component file of daprd. */
function componentFile(url: string, type: string, fields: Fields = {}): string {
	const metadata = { url, topic: "in/#", consumerID: "interop", ...fields };
	const items = Object.entries(metadata).map(
		([name, value]) => `    - { name: ${name}, value: ${JSON.stringify(value)} }\n`,
	);
	return `apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: orders }
spec:
  type: bindings.${type}
  version: v1
  metadata:
${items.join("")}`;
}

interface StageOptions {
	readonly app?: AppScript;
	readonly fields?: Fields;
	readonly component?: ComponentProcessOptions;
	/** Of daprd. */
	readonly args?: readonly string[];
}

/** mosquitto, our component, an HTTP app and the real daprd between them. */
async function stage({ app: script = {}, fields = {}, component: options = {}, args = [] }: StageOptions = {}) {
	const parts: AsyncDisposable[] = [];
	const started = <Part extends AsyncDisposable>(part: Part): Part => {
		parts.unshift(part);
		return part;
	};
	try {
		const broker = started(await startMosquitto({ logPackets: true }));
		const device = started(await connectDevice(broker.url));
		const component = started(await startComponent({ names: ["mqtt3-ts"], ...options }));
		const app = started(await startApp(script));
		const type = options.names?.[0] ?? "mqtt3-ts";
		const file = (more: Fields = {}) => componentFile(broker.url, type, { ...fields, ...more });
		const socketFolder = component.folder;
		const daprd = started(await startDaprd({ components: file(), socketFolder, appPort: app.port, args }));
		await broker.line(/Received SUBSCRIBE from interop/);
		return { broker, device, component, app, daprd, file, [Symbol.asyncDispose]: () => disposeAll(parts) };
	} catch (error) {
		await disposeAll(parts);
		throw error;
	}
}

async function disposeAll(parts: readonly AsyncDisposable[]): Promise<void> {
	for (const part of parts) await part[Symbol.asyncDispose]();
}

const texts = (requests: readonly { readonly payload: Buffer }[]) => requests.map(({ payload }) => payload.toString());

describeWith("daprd", "the real daprd with our component", () => {
	test("discovers it, delivers to the app, and publishes; acknowledged after the app's 2xx", async () => {
		await using on = await stage();
		await on.device.subscribe("out/#");
		await on.device.publishAll(50, (index) => ({ topic: "in/a", payload: String(index) }));
		const requests = await on.app.acceptedAtLeast(50);
		expect(new Set(texts(requests)).size).toBe(50);
		expect(requests[0]).toMatchObject({ path: "/orders", headers: { topic: "in/a" } });
		expect(await on.daprd.create({ n: 1 }, { topic: "out/x" })).toEqual({ status: 200, text: "" });
		const [message] = await on.device.received(1);
		expect([message?.topic, String(message?.payload)]).toEqual(["out/x", '{"n":1}']);
		const acks = () => on.broker.log.filter((line) => /Received PUBACK from interop/.test(line)).length;
		await eventually(() => expect(acks()).toBe(50));
	});

	test("under the name mqtt3 it takes the place of daprd's own, with the component file as it stands", async () => {
		await using on = await stage({ component: { names: ["mqtt3"] } });
		await on.device.publish("in/a", "1");
		await on.app.acceptedAtLeast(1);
		await on.component.line(/daprd initialized the input/);
		await on.broker.line(/\binterop\b/);
		// daprd's own has two clients, interop-consumer and interop-producer.
		expect(on.broker.log.join("\n")).not.toMatch(/interop-(consumer|producer)/);
	});

	test("what the app refuses is tried again, and never acknowledged before it is taken", async () => {
		await using on = await stage({
			app: { rules: [{ payloads: ["bad"], status: 500, times: 2 }] },
			fields: { backOffMaxRetries: "5", backOffInterval: "200ms" },
		});
		await on.device.publish("in/a", "bad");
		await on.device.publish("in/a", "good");
		await on.app.acceptedAtLeast(2, 15_000);
		expect(on.app.requests().filter(({ payload }) => payload.toString() === "bad")).toHaveLength(3);
	});

	test("the status that daprd reports of an app is known to deadLetterOn", async () => {
		await using on = await stage({
			app: { rules: [{ payloads: ["bad"], status: 422 }] },
			fields: { deadLetterOn: "422", deadLetterTopic: "dead", deadLetterFormat: "raw" },
		});
		await on.device.subscribe("dead/#");
		await on.device.publish("in/a", "bad");
		const [letter] = await on.device.received(1);
		expect([letter?.topic, String(letter?.payload)]).toEqual(["dead/in/a", "bad"]);
		expect(on.app.requests()).toHaveLength(1);
	});

	test("killed with messages at the app and started again: they come again, on the same MQTT connection", async () => {
		await using on = await stage({ app: { delayMs: 3_000 } });
		await on.device.publishAll(10, (index) => ({ topic: "in/a", payload: String(index) }));
		await eventually(() => expect(on.app.requests().length).toBe(10));
		await on.daprd.kill();
		await on.component.line(/daprd ended its Read/);
		await on.app.answer({});
		await on.daprd.start();
		await eventually(() => expect(new Set(texts(on.app.requests().slice(10))).size).toBe(10), { timeoutMs: 15_000 });
		const connects = on.broker.log.filter((line) => / as interop /.test(line));
		expect(connects).toHaveLength(1);
	});

	test("a graceful stop under load loses nothing: what it answers while it closes is no verdict", async () => {
		await using on = await stage({
			app: { delayMs: [20, 80] },
			fields: { backOffMaxRetries: "0", onRetriesExhausted: "drop" },
		});
		const published = on.device.publishAll(2_000, (index) => ({ topic: "in/a", payload: String(index) }));
		await on.app.acceptedAtLeast(200, 15_000);
		await on.daprd.stop();
		await published;
		await on.daprd.start();
		await on.app.acceptedAtLeast(2_000, 30_000);
	});

	test("after our restart output fails with the remedy, and input waits for daprd's restart; nothing is lost", async () => {
		await using on = await stage();
		await on.component.kill();
		await on.component.start();
		const refused = await eventually(
			async () => {
				const answer = await on.daprd.create(1, { topic: "out/x" });
				expect(answer.text).toContain("FailedPrecondition");
				return answer;
			},
			{ timeoutMs: 20_000, everyMs: 250 },
		);
		expect(refused.status).toBe(500);
		expect(refused.text).toMatch(/restart daprd/);
		await on.device.publish("in/a", "1");
		await on.daprd.stop();
		await on.daprd.start();
		await on.app.acceptedAtLeast(1);
	});

	test("started before us it hangs at the file that a killed process left, and goes on once we are there", async () => {
		await using on = await stage();
		await on.daprd.stop();
		await on.component.kill();
		let serves = false;
		const started = on.daprd.start().then(() => {
			serves = true;
		});
		// Otherwise it serves within a tenth of that.
		await delay(2_000);
		expect(serves).toBe(false);
		await on.component.start();
		await started;
		await on.device.publish("in/a", "1");
		await on.app.acceptedAtLeast(1);
	});

	test("with --state-dir output goes on after our restart", async () => {
		await using state = await tempFolder();
		await using on = await stage({ component: { names: ["mqtt3-ts"], args: ["--state-dir", join(state.path, "s")] } });
		await on.component.kill();
		await on.component.start();
		await eventually(async () => expect((await on.daprd.create(1, { topic: "out/x" })).status).toBe(200), {
			timeoutMs: 20_000,
			everyMs: 250,
		});
	});

	test("a message over 4 MiB does not end the stream: it is held, and the others come", async () => {
		await using on = await stage({ fields: { maxPayloadSize: "16Mi" } });
		await on.device.publish("in/large", Buffer.alloc(5 * 2 ** 20));
		await on.device.publish("in/a", "after");
		await on.app.acceptedAtLeast(1);
		await on.component.line(/code=oversized/);
		await on.device.publish("in/a", "and after");
		await on.app.acceptedAtLeast(2);
		expect(texts(on.app.requests())).toEqual(["after", "and after"]);
	});

	test("its hot reload with another topic: the old filter is left, and the new one delivers", async () => {
		await using on = await stage();
		await on.device.publish("in/a", "old");
		await on.app.acceptedAtLeast(1);
		await on.daprd.writeComponents(on.file({ topic: "new/#" }));
		await on.broker.line(/Received UNSUBSCRIBE from interop/, 20_000);
		await on.device.publish("in/a", "old again");
		await on.device.publish("new/a", "new");
		await on.app.acceptedAtLeast(2);
		expect(texts(on.app.accepted())).toEqual(["old", "new"]);
	});

	test("properties that can't be meant end daprd's start with our sentence", async () => {
		const failed = stage({ fields: { qos: "3" } });
		await expect(failed).rejects.toThrow(/qos.*3/);
	});
});
