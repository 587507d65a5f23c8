import { lstat, readdir } from "node:fs/promises";
import { expect, test } from "vitest";
import { startBroker } from "../../../src/broker/broker.js";
import { startComponent } from "../../support/component-process.js";
import { Daprd, failureOf } from "../../support/daprd.js";
import { eventually } from "../../support/eventually.js";

function properties(url: string, more: Readonly<Record<string, string>> = {}) {
	return { url, topic: "in/#", consumerID: "plugged", ...more };
}

test("daprd finds the component, gets what the broker has, and publishes", async () => {
	await using broker = await startBroker();
	await using component = await startComponent();
	await using daprd = await Daprd.create({ socket: component.socket, properties: properties(broker.url) });
	expect(await daprd.discover()).toEqual(
		expect.arrayContaining(["dapr.proto.components.v1.InputBinding", "dapr.proto.components.v1.OutputBinding"]),
	);
	await daprd.initInput();
	expect(await daprd.initOutput()).toEqual(["create"]);
	daprd.read();
	await daprd.ping("input");
	await broker.publish("in/kitchen", "21.5");
	await eventually(() => expect(daprd.events).toHaveLength(1));
	expect(daprd.events[0]).toMatchObject({ metadata: { topic: "in/kitchen" }, contentType: "application/json" });
	expect(daprd.events[0]?.data.toString()).toBe("21.5");

	const published: string[] = [];
	broker.onPublish(({ topic, payload, clientId }) => {
		if (clientId !== undefined) published.push(`${topic} ${Buffer.from(payload)}`);
	});
	const answer = await daprd.invoke({
		data: Buffer.from('"hot"'),
		metadata: { topic: "out/1", traceparent: "00-0-0-0" },
	});
	expect(answer).toEqual({ data: Buffer.alloc(0), metadata: {}, contentType: "" });
	await daprd.invoke({ data: Buffer.from('"hot"'), metadata: { topic: "out/2", encoding: "utf8" } });
	expect(published).toEqual(['out/1 "hot"', "out/2 hot"]);
});

test("the socket file is for owner and group, alone in its folder, and gone after a stop", async () => {
	await using component = await startComponent({ names: ["mqtt3", "mqtt"] });
	expect((await readdir(component.folder)).sort()).toEqual(["mqtt.sock", "mqtt3.sock"]);
	expect((await lstat(component.socket)).mode & 0o777).toBe(0o660);
	expect(await component.stop()).toEqual({ code: 0, signal: null });
	expect(await readdir(component.folder)).toEqual([]);
});

test("Invoke before Init is refused with the remedy", async () => {
	await using component = await startComponent();
	await using daprd = await Daprd.create({ socket: component.socket, properties: {} });
	const { code, details } = await failureOf(daprd.invoke({}));
	expect(code).toBe("FAILED_PRECONDITION");
	expect(details).toMatch(/component "orders" is not initialized in this process.*restart daprd.*--state-dir/);
});
