import { describe, expect, it } from "vitest";
import { component, load, summary } from "../../test/support/load-components.js";

describe("whose components", () => {
	it.each([
		["scopes: [app]", true],
		["scopes: [other, app]", true],
		["scopes: []", true],
		["scopes: [other]", false],
	])("a component with %s is the app's: %s", async (rest, taken) => {
		const { components } = await load({ "c.yaml": component("a", "", rest), "d.yaml": component("z") });
		expect(components).toHaveLength(taken ? 2 : 1);
	});

	it.each([
		["shop", "shop", 1],
		["shop", "other", 0],
		["shop", undefined, 1],
		["shop", "", 1],
	])("a document of namespace %s with NAMESPACE %s counts: %i", async (written, namespace, count) => {
		const files = { "c.yaml": component(`a, namespace: ${written}`), "d.yaml": component("z") };
		expect((await load(files, { namespace })).components).toHaveLength(1 + count);
	});

	it("a wrong component of another app is passed over", async () => {
		const wrong = component("a/b", "{value: 1}", "scopes: [other]");
		expect(await load({ "c.yaml": wrong, "d.yaml": component("z") })).toMatchObject({ problems: [], warnings: [] });
	});

	it("two components of one name are an error that names both places, unless one is for another app", async () => {
		const files = {
			"c.yaml": `${component("a")}---\n${component("a")}`,
			"d.yaml": component("a", "", "scopes: [other]"),
		};
		expect((await load(files)).problems).toEqual([
			'component "a" (c.yaml:9): another component has this name (c.yaml:1)',
		]);
	});
});

describe("documents that are not ours", () => {
	it.each([
		["Configuration", "dapr.io/v1alpha1", 'c.yaml:2: skipped, kind "Configuration" is not used here'],
		["Subscription", "dapr.io/v2alpha1", 'c.yaml:2: skipped, kind "Subscription" is not used here'],
		["Widget", "dapr.io/v1alpha1", 'c.yaml:2: skipped, kind "Widget" is unknown'],
		["Resilienci", "dapr.io/v1alpha1", 'c.yaml:2: skipped, kind "Resilienci" is unknown, did you mean "Resiliency"'],
		["Secret", "v1", 'c.yaml:2: skipped, kind "Secret" has apiVersion "v1", expected "dapr.io/v1alpha1"'],
		[
			"Component",
			"example.com/v1",
			'c.yaml:2: skipped, kind "Component" has apiVersion "example.com/v1", expected "dapr.io/v1alpha1"',
		],
	])("kind %s of %s is skipped with a warning", async (kind, apiVersion, warning) => {
		const text = component("a").replace("Component", kind).replace("dapr.io/v1alpha1", apiVersion);
		const { components, problems, warnings } = await load({ "c.yaml": text, "d.yaml": component("z") });
		expect(problems).toEqual([]);
		expect(warnings).toEqual([warning]);
		expect(components.map(({ name }) => name)).toEqual(["z"]);
	});

	it("a document without kind is skipped with a warning", async () => {
		const { warnings } = await load({ "c.yaml": "services: {web: {}}", "d.yaml": component("z") });
		expect(warnings).toEqual(["c.yaml:1: skipped, it has no kind"]);
	});

	it("component types of Dapr that are not ours are skipped in silence", async () => {
		const types = ["state.redis", "pubsub.mqtt3", "bindings.http", "secretstores.kubernetes"];
		const text = types.map((type, index) => component(`c${index}`, "", "", type)).join("---\n");
		const outcome = await load({ "c.yaml": text, "d.yaml": component("z") });
		expect(outcome).toMatchObject({ problems: [], warnings: [] });
		expect(summary(outcome)).toEqual([{ name: "z" }]);
	});
});

describe("documents of ours that are wrong", () => {
	it.each([
		["bindings.mqtt4", "bindings.mqtt3"],
		["bindings.mqtt3.1.1", "bindings.mqtt3"],
		["Bindings.mqtt3", "bindings.mqtt3"],
		["secretstore.local.env", "secretstores.local.env"],
	])("the type %s is an error that names %s", async (type, meant) => {
		const { problems } = await load({ "c.yaml": component("a", "", "", type) });
		expect(problems).toEqual([
			`component "a" (c.yaml:5): spec.type "${type}" is not supported, did you mean "${meant}"`,
		]);
	});

	it.each([
		["kind: Component", "kind: component", 'component "a" (c.yaml:2): kind is "component", expected "Component"'],
		["kind: Component", "kind: Componet", 'component "a" (c.yaml:2): kind is "Componet", expected "Component"'],
		["kind: Component", "other: 1", 'component "a" (c.yaml:1): kind is missing, expected "Component"'],
		[
			"dapr.io/v1alpha1",
			"dapr.io/v1",
			'component "a" (c.yaml:1): apiVersion is "dapr.io/v1", expected "dapr.io/v1alpha1"',
		],
		["apiVersion:", "api:", 'component "a" (c.yaml:1): apiVersion is missing, expected "dapr.io/v1alpha1"'],
	])("%j written as %j is an error", async (right, wrong, problem) => {
		expect((await load({ "c.yaml": component("a").replace(right, wrong) })).problems).toEqual([problem]);
	});

	it("the same in a component for another app is only warned about", async () => {
		const slip = component("a", "", "scopes: [other]").replace("kind: Component", "kind: component");
		expect(await load({ "c.yaml": slip, "d.yaml": component("z") })).toMatchObject({
			problems: [],
			warnings: ['c.yaml:2: skipped, kind "component" is unknown, did you mean "Component"'],
		});
	});

	it("a document that is not a map is an error", async () => {
		const { problems } = await load({ "c.yaml": "just text\n", "d.yaml": component("z") });
		expect(problems).toEqual(["c.yaml:1: expected a map with apiVersion, kind, metadata and spec"]);
	});

	it("all problems of all files come at once, the files' own first", async () => {
		const { problems } = await load({
			"a.yaml": `${component("a", "{name: url, envRef: MISSING}, {name: topic, envRef: DAPR_X}")}---\nx: {\n---\n${component("b", "{name: ''}")}`,
			"b.yaml": component("c", "{name: password, secretKeyRef: {name: s}}", "auth: {secretStore: vault}"),
		});
		expect(problems).toEqual([
			expect.stringMatching(/^a\.yaml:9: not valid YAML: flow map/),
			'component "b" (a.yaml:16): spec.metadata[0].name is empty, expected text',
			'component "a" (a.yaml:6): field "url": environment variable "MISSING" is not set',
			`component "a" (a.yaml:6): field "topic": envRef "DAPR_X" is refused: APP_API_TOKEN and names that begin with DAPR_ are the sidecar's own`,
			'component "c" (b.yaml:6): field "password": secret store "vault" is not defined, none is defined',
		]);
	});

	it("leave the right ones among the error's components", async () => {
		const outcome = await load({ "a.yaml": component("a", "{name: url, envRef: MISSING}"), "b.yaml": component("b") });
		expect(outcome.problems).toHaveLength(1);
		expect(summary(outcome)).toEqual([{ name: "b" }]);
	});

	it("those with ignoreErrors are warned about and skipped", async () => {
		const ignore = (text: string) => text.replace("spec:", "spec:\n  ignoreErrors: true");
		const outcome = await load({
			"a.yaml": ignore(component("a", "{name: url, envRef: MISSING}")),
			"b.yaml": ignore(component("b", "{name: ''}")),
			"c.yaml": ignore(component("c", "", "", "bindings.mqtt4")),
			"d.yaml": component("d"),
		});
		expect(outcome.problems).toEqual([]);
		expect(summary(outcome)).toEqual([{ name: "d" }]);
		const suffix = "; skipped, as the component says ignoreErrors";
		expect(outcome.warnings).toEqual([
			`component "b" (b.yaml:7): spec.metadata[0].name is empty, expected text${suffix}`,
			`component "c" (c.yaml:6): spec.type "bindings.mqtt4" is not supported, did you mean "bindings.mqtt3"${suffix}`,
			`component "a" (a.yaml:7): field "url": environment variable "MISSING" is not set${suffix}`,
		]);
	});
});
