import { expect, it } from "vitest";
import { nearMiss } from "./near-miss.js";

const TYPES = ["bindings.mqtt3", "bindings.mqtt", "secretstores.local.env"];

it.each([
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
	expect(nearMiss(word, TYPES)).toBe(meant);
});
