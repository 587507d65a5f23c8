import { expect, it } from "vitest";
import { changesOf } from "./component-changes.js";
import type { ResolvedComponent } from "./runtime.js";

function component(name: string, changes: Partial<ResolvedComponent> = {}): ResolvedComponent {
	const properties = { url: "tcp://a", topic: "t" };
	const source = `${name}.yaml:1`;
	return {
		name,
		type: "bindings.mqtt3",
		version: "v1",
		properties,
		sources: {},
		source,
		ignoreErrors: false,
		...changes,
	};
}

it("tells what is new, what is gone and which fields differ", () => {
	const running = [component("same"), component("other"), component("gone")];
	const other = component("other", { version: "v2", properties: { url: "tcp://b", qos: "1" } });
	expect(changesOf(running, [component("same"), other, component("new")])).toEqual({
		added: [component("new")],
		changed: [{ component: other, fields: ["version", "url", "topic", "qos"] }],
		removed: ["gone"],
	});
});

it("where it is written, and how the type is capitalized, is no change", () => {
	const moved = component("a", { source: "b.yaml:7", sources: { url: "b.yaml:9" }, type: "bindings.MQTT3" });
	expect(changesOf([component("a")], [moved])).toEqual({ added: [], changed: [], removed: [] });
});

it("another content of a file that a field names is a change of the field", () => {
	const properties = { clientCert: "file:/c.pem" };
	const before = component("a", { properties, files: { "/c.pem": "1" } });
	const after = component("a", { properties, files: { "/c.pem": "2" } });
	expect(changesOf([before], [after]).changed).toEqual([{ component: after, fields: ["clientCert"] }]);
	expect(changesOf([before], [{ ...after, files: { "/c.pem": "1" } }]).changed).toEqual([]);
});
