import { expect, test } from "vitest";
import { startApp } from "../../support/app-process.js";
import { describeWith } from "../../support/left-out.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { launchSidecar, startSidecar } from "../../support/sidecar-process.js";
import { component, logged, reasons, untilReady } from "./component.js";
import { texts } from "./line.js";

describeWith("mosquitto", "several components", () => {
	test("two in one process: each has its connection, its route and its troubles", async () => {
		await using broker = await startMosquitto();
		await using app = await startApp({ rules: [{ payloads: ["bad"], status: 500 }] });
		await using device = await connectDevice(broker.url);
		const components = ["one", "two"].map((name) =>
			component({ name, url: broker.url, topic: `${name}/in`, route: `/events/${name}`, holdInterval: "1h" }),
		);
		await using sidecar = await startSidecar({ components: components.join(""), appPort: app.port });
		await untilReady(sidecar);
		await device.publish("one/in", "bad");
		await device.publish("two/in", "good");
		await app.acceptedAtLeast(1);
		await sidecar.line(/code=held component=one /);
		expect(
			app
				.requests()
				.map(({ path, payload }) => [path, String(payload)])
				.sort(),
		).toEqual([
			["/events/one", "bad"],
			["/events/two", "good"],
		]);
		expect(await reasons(sidecar)).toMatchObject([{ code: "held", component: "one", blocking: false }]);
		for (const name of ["one", "two"]) {
			expect(broker.log.filter((text) => text.includes(` as sidecar-${name} `))).toHaveLength(1);
			expect(logged(sidecar, "subscribed").filter((line) => line.includes(`component=${name} `))).toHaveLength(1);
		}
		const document = (await (await fetch(`${sidecar.url}/v1.0/metadata`)).json()) as { components: object[] };
		expect(document.components).toMatchObject([{ name: "one" }, { name: "two" }]);
	});

	test("two with one client identifier at one broker: exit 1, naming both files and splitConnections, before anything is connected", async () => {
		await using broker = await startMosquitto();
		const fields = { url: broker.url, consumerID: "same" };
		const components = component({ name: "one", ...fields }) + component({ name: "two", ...fields });
		await using sidecar = await launchSidecar({ components });
		expect(await sidecar.exited).toEqual({ code: 1, signal: null });
		expect(sidecar.output).toHaveLength(1);
		const [line] = sidecar.output;
		expect(line).toMatch(
			/^error: .*"two".*components\.yaml:\d+.*"one".*components\.yaml:\d+.*"same".*splitConnections/,
		);
		expect(broker.log.some((text) => text.includes("New connection"))).toBe(false);
	});

	test("splitConnections: one reads and another writes under one consumerID, as daprd's own component does", async () => {
		await using broker = await startMosquitto();
		await using app = await startApp();
		await using device = await connectDevice(broker.url);
		await device.subscribe("out/#");
		const fields = { url: broker.url, consumerID: "same", splitConnections: true };
		const components =
			component({ name: "reader", ...fields, direction: "input" }) +
			component({ name: "writer", ...fields, direction: "output", topic: "out/x" });
		await using sidecar = await startSidecar({ components, appPort: app.port });
		await untilReady(sidecar);
		await device.publish("in/a", "x");
		await app.acceptedAtLeast(1);
		expect((await sidecar.create("writer", { operation: "create", data: 1 })).status).toBe(204);
		expect(texts(await device.received(1))).toEqual(["1"]);
		const clients = broker.log.flatMap((text) => / as (same\S*) /.exec(text)?.[1] ?? []);
		expect(clients.sort()).toEqual(["same-consumer", "same-producer"]);
	});

	test("a second sidecar on a port in use says so and ends with 1; the first goes on", async () => {
		await using broker = await startMosquitto();
		await using sidecar = await startSidecar({ components: component({ url: broker.url }) });
		await using second = await launchSidecar({
			components: component({ name: "two", url: broker.url }),
			httpPort: sidecar.port,
		});
		expect(await second.exited).toEqual({ code: 1, signal: null });
		expect(second.output.join("\n")).toMatch(
			new RegExp(`^error: .*port ${sidecar.port} is in use.*--dapr-http-port`, "m"),
		);
		await untilReady(sidecar);
		expect(broker.log.some((text) => text.includes("sidecar-two"))).toBe(false);
	});
});
