import { expect, test } from "vitest";
import { nearestName } from "./nearest-name.js";

const KNOWN = ["url", "topic", "cleanSession", "backOffMaxRetries"];

test.each([
	["clenSession", "cleanSession"],
	["CLEANSESSION", "cleanSession"],
	["backoffRetries", "backOffMaxRetries"],
	["ulr", "url"],
	["topci", "topic"],
	["x".repeat(100_000), "backOffMaxRetries"],
])("the name nearest to %.20s is %s", (name, nearest) => {
	expect(nearestName(name, KNOWN)).toBe(nearest);
});

test("no name is near where none is known", () => {
	expect(nearestName("url", [])).toBeUndefined();
});

const TYPES = ["bindings.mqtt3", "bindings.mqtt", "secretstores.local.env"];

test.each([
	["bindings.mqtt4", "bindings.mqtt3"],
	["Bindings.MQTT3", "bindings.mqtt3"],
	["binding.mqtt3", "bindings.mqtt3"],
	["bindigns.mqtt", "bindings.mqtt"],
	["secretstores.local.envs", "secretstores.local.env"],
	["bindings.http", undefined],
	["bindings.nats", undefined],
	["pubsub.mqtt3", undefined],
	["", undefined],
])("%j is a slip for %j", (word, meant) => {
	expect(nearestName(word, TYPES, 2)).toBe(meant);
});
