import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { fillPlaceholders } from "./placeholders.js";

const VALUES = { appId: "orders", namespace: "shop", podName: "orders-0", uuid: () => randomUUID() };
const UUID = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";

it("replaces the app id, the pod's name and the namespace with the app id", () => {
	expect(fillPlaceholders("{appID}/{podName}/{namespace}", VALUES)).toEqual({
		text: "orders/orders-0/shop.orders",
		random: false,
		missing: [],
		misspelt: [],
	});
});

it("replaces each {uuid} by a UUID of its own", () => {
	const { text, random } = fillPlaceholders("a-{uuid}-{uuid}", VALUES);
	const [, first, second] = new RegExp(`^a-(${UUID})-(${UUID})$`).exec(text)!;
	expect(first).not.toBe(second);
	expect(random).toBe(true);
});

it.each([undefined, ""])("the namespace %j is default", (namespace) => {
	expect(fillPlaceholders("{namespace}", { ...VALUES, namespace }).text).toBe("default.orders");
});

it.each([undefined, ""])("names {podName} once as missing when the pod's name is %j", (podName) => {
	expect(fillPlaceholders("{podName}{podName}", { ...VALUES, podName }).missing).toEqual(["{podName}"]);
});

it("leaves everything else, and tells what was probably meant", () => {
	const text = "{appId} {UUID} {other} {} {{appID} $& {";
	expect(fillPlaceholders(text, { ...VALUES, appId: "$&" })).toEqual({
		text: "{appId} {UUID} {other} {} {$& $& {",
		random: false,
		missing: [],
		misspelt: [
			{ written: "{appId}", meant: "{appID}" },
			{ written: "{UUID}", meant: "{uuid}" },
		],
	});
});
