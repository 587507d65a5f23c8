import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type TempFolder, tempFolder } from "../../test/support/temp-folder.js";
import { BindingError } from "../errors.js";
import { LocalEnv } from "../secretstores/local-env.js";
import { LocalFile } from "../secretstores/local-file.js";
import { type LoadOptions, loadComponents } from "./load-components.js";
import { Registry } from "./registry.js";
import type { ResolvedComponent } from "./runtime.js";

const CANARY = "s3cret-canary";

interface Outcome {
	readonly components: readonly ResolvedComponent[];
	/** Without the folder's path. */
	readonly problems: readonly string[];
	readonly warnings: readonly string[];
}

async function load(files: Readonly<Record<string, string>>, options: Partial<LoadOptions> = {}): Promise<Outcome> {
	await using folder = await tempFolder(files);
	return await loadFolder(folder, options);
}

async function loadFolder(folder: TempFolder, options: Partial<LoadOptions> = {}): Promise<Outcome> {
	const env = options.env ?? {};
	const noBinding = () => {
		throw new Error("loading makes no binding");
	};
	const registry = new Registry()
		.binding("bindings.mqtt3", noBinding)
		.binding("bindings.mqtt", noBinding)
		.secretStore("secretstores.local.env", () => new LocalEnv(env))
		.secretStore("secretstores.local.file", () => new LocalFile(folder.path));
	const warnings: string[] = [];
	const relative = (message: string) => message.replaceAll(`${folder.path}/`, "").replaceAll(folder.path, "FOLDER");
	const onWarning = (message: string) => warnings.push(relative(message));
	const outcome = { components: [], problems: [], warnings };
	try {
		const components = await loadComponents({
			paths: [folder.path],
			appId: "app",
			env,
			registry,
			onWarning,
			...options,
		});
		return { ...outcome, components };
	} catch (error) {
		if (!(error instanceof AggregateError)) throw error;
		for (const problem of error.errors) expect(problem).toBeInstanceOf(BindingError);
		return { ...outcome, problems: error.errors.map(({ message }) => relative(message)) };
	}
}

/** A component document whose lines are: apiVersion, kind, metadata, spec, type, metadata, items… */
function component(name: string, items = "", rest = "", type = "bindings.mqtt3"): string {
	return `apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: ${name}}
spec:
  type: ${type}
  metadata: [${items}]
${rest}
`;
}

function summary({ components }: Outcome): unknown {
	return components.map(({ name, properties }) => ({ name, ...properties }));
}

describe("loadComponents", () => {
	it("resolves a component with everything that the runtime needs", async () => {
		await using folder = await tempFolder({
			"c.yaml": `apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: orders
spec:
  type: bindings.MQTT3
  version: v1
  metadata:
  - name: url
    value: "tcp://localhost"
  - name: consumerID
    value: "{appID}-{podName}-{namespace}"
  - name: retain
    value: yes
  - name: nothing
    value:
  - name: route
    value: "/{appID}"
`,
		});
		const { components } = await loadFolder(folder, { env: { POD_NAME: "pod-0" } });
		const at = (line: number) => `${join(folder.path, "c.yaml")}:${line}`;
		expect(components).toEqual([
			{
				name: "orders",
				type: "bindings.MQTT3",
				version: "v1",
				ignoreErrors: false,
				source: at(1),
				properties: { url: "tcp://localhost", consumerID: "app-pod-0-default.app", retain: "true", route: "/{appID}" },
				sources: { url: at(9), consumerID: at(11), retain: at(13), route: at(17) },
				templated: [],
			},
		]);
	});

	it("gives each {uuid} a value of its own, once for both directions, and says which properties had one", async () => {
		const { components } = await load({
			"c.yaml": component(
				"a",
				`{name: consumerID, value: "{uuid}"}, {name: topic, value: "t/{uuid}"}, {name: url, value: u}`,
			),
		});
		const [{ properties, templated }] = components as [ResolvedComponent];
		expect(properties.consumerID).toMatch(/^[0-9a-f-]{36}$/);
		expect(properties.topic).toMatch(/^t\/[0-9a-f-]{36}$/);
		expect(properties.topic).not.toContain(properties.consumerID);
		expect(templated).toEqual(["consumerID", "topic"]);
	});

	it("a {podName} without POD_NAME fails with the field's name", async () => {
		const { problems } = await load({ "c.yaml": component("a", `{name: consumerID, value: "{podName}"}`) });
		expect(problems).toEqual([
			'component "a" (c.yaml:6): field "consumerID": {podName} needs the environment variable POD_NAME, which is not set',
		]);
	});

	it("warns of what is nearly a placeholder", async () => {
		const { warnings } = await load({ "c.yaml": component("a", `{name: consumerID, value: "{appId}"}`) });
		expect(warnings).toEqual([
			'component "a" (c.yaml:6): field "consumerID": {appId} is no placeholder and stays as it is, did you mean {appID}',
		]);
	});

	it("keeps the order of folders, files and documents", async () => {
		await using other = await tempFolder({ "a.yaml": component("fourth") });
		await using folder = await tempFolder({
			"b.yaml": component("third"),
			"a.yaml": `${component("first")}---\n${component("second", "", "", "bindings.mqtt")}`,
		});
		const outcome = await loadFolder(folder, { paths: [folder.path, other.path] });
		expect(outcome.components.map(({ name }) => name)).toEqual(["first", "second", "third", "fourth"]);
	});
});

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

describe("nothing usable", () => {
	const EXPECTED = "expected kind Component of type bindings.mqtt3 or bindings.mqtt";

	it("is an error that says what was looked at", async () => {
		expect((await load({}, { paths: [] })).problems).toEqual(["no component folder is given"]);
		expect((await load({})).problems).toEqual([`no usable component in "FOLDER": found 0 YAML files, ${EXPECTED}`]);
		expect((await load({ "c.yaml": "# nothing\n" })).problems).toEqual([
			`no usable component in "FOLDER": found 1 YAML file, ${EXPECTED}`,
		]);
	});

	it("counts the documents that were seen", async () => {
		const { problems } = await load({
			"a.yaml": [
				component("a", "", "", "state.redis"),
				component("b", "", "", "state.redis"),
				component("c").replace("Component", "Configuration"),
			].join("---\n"),
			"b.yaml": `${component("d", "", "scopes: [other]")}---\n${component("e", "", "", "secretstores.local.env")}---\nx: 1\n`,
		});
		expect(problems).toEqual([
			'no usable component in "FOLDER": found 2 YAML files with 6 documents (2 of type state.redis, 1 of kind Configuration, ' +
				`1 of type bindings.mqtt3 for others, 1 of type secretstores.local.env, 1 without kind), ${EXPECTED}`,
		]);
	});

	it("a folder that is missing is the only problem then", async () => {
		const { problems } = await load({}, { paths: ["/nowhere/components"] });
		expect(problems).toEqual([
			`component folder "/nowhere/components" cannot be read: ENOENT: no such file or directory, scandir '/nowhere/components'`,
		]);
	});
});

describe("secrets", () => {
	const FILE_STORE = component("vault", "{name: secretsFile, value: secrets.json}", "", "secretstores.local.file");
	const ENV_STORE = component("env", "{name: prefix, envRef: PREFIX}", "", "secretstores.local.env");
	const SECRETS = JSON.stringify({ mqtt: { password: CANARY, clientKey: "" } });
	const REFERENCE = "{name: password, secretKeyRef: {name: 'mqtt:password'}}";

	it("come from stores that stand anywhere in the folders", async () => {
		const outcome = await load(
			{
				"a.yaml": `${component("a", REFERENCE, "auth: {secretStore: vault}")}---\n${component("b", "{name: x, secretKeyRef: {name: X}}", "auth: {secretstore: env}")}`,
				"z.yaml": `${FILE_STORE}---\n${ENV_STORE}`,
				"secrets.json": SECRETS,
			},
			{ env: { PREFIX: "MY_", MY_X: "x" } },
		);
		expect(outcome).toMatchObject({ problems: [], warnings: [] });
		expect(summary(outcome)).toEqual([
			{ name: "a", password: CANARY },
			{ name: "b", x: "x" },
		]);
	});

	it("an empty clientKey fails with the field's name", async () => {
		const items = "{name: clientKey, secretKeyRef: {name: 'mqtt:clientKey'}}";
		const { problems } = await load({
			"a.yaml": component("a", items, "auth: {secretStore: vault}"),
			"z.yaml": FILE_STORE,
			"secrets.json": SECRETS,
		});
		expect(problems).toEqual([
			'component "a" (a.yaml:6): field "clientKey": secret store "vault": secret "mqtt:clientKey": key "mqtt:clientKey" is empty',
		]);
	});

	it.each([
		[
			FILE_STORE.replace("secretsFile", "file"),
			['component "vault" (z.yaml:1): missing secretsFile'],
			"could not be opened (z.yaml:1)",
		],
		[`${FILE_STORE}scopes: [other]\n`, [], 'is not in the scopes of app "app" (z.yaml:1)'],
		[
			FILE_STORE.replace("local.file", "kubernetes"),
			[],
			'has type "secretstores.kubernetes", which is not supported (z.yaml:1)',
		],
	])("of a store that cannot be used fail with the reason", async (store, storeProblems, why) => {
		const { problems } = await load({
			"a.yaml": component("a", REFERENCE, "auth: {secretStore: vault}"),
			"z.yaml": store,
		});
		expect(problems).toEqual([
			...storeProblems,
			`component "a" (a.yaml:6): field "password": secret store "vault" ${why}`,
		]);
	});

	it("a store's own metadata cannot come from a secret", async () => {
		const store = component("vault", REFERENCE, "auth: {secretStore: env}", "secretstores.local.file");
		expect((await load({ "z.yaml": `${ENV_STORE}---\n${store}` }, { env: { PREFIX: "" } })).problems).toEqual([
			'component "vault" (z.yaml:14): field "password": a secret store cannot use secretKeyRef, only value and envRef',
		]);
	});

	it("no value is in any problem or warning", async () => {
		const items = [
			`{name: url, value: "tcp://u:${CANARY}@{podName}"}`,
			`{name: password, value: "${CANARY}{appid}"}`,
			"{name: clientKey, secretKeyRef: {name: missing}}",
			`{name: x, secretKeyRef: ${CANARY}}`,
		];
		for (const broken of [
			items.slice(0, 3).join(),
			items.join(),
			`{name: password, value: ${CANARY}`,
			`{name: a, value: "${CANARY}"${CANARY}}`,
		]) {
			const files = { "a.yaml": component("a", broken, "auth: {secretStore: vault}"), "z.yaml": FILE_STORE };
			for (const secrets of [SECRETS, `{"a": ${CANARY}}`, JSON.stringify([CANARY])]) {
				const { problems, warnings } = await load({ ...files, "secrets.json": secrets });
				expect(problems.length).toBeGreaterThan(0);
				expect([...problems, ...warnings].join("\n")).not.toContain(CANARY);
			}
		}
	});
});

it("no name in a component file changes a prototype", async () => {
	const name = fc.constantFrom(
		"__proto__",
		"constructor",
		"prototype",
		"toString",
		"metadata",
		"spec",
		"name",
		"value",
		"<<",
	);
	const { node } = fc.letrec<{ node: unknown }>((tie) => ({
		node: fc.oneof(
			{ depthSize: "small" },
			fc.constantFrom("bindings.mqtt3", "polluted", true, 1, null),
			fc.array(tie("node"), { maxLength: 2 }),
			fc
				.uniqueArray(fc.tuple(name, tie("node")), { maxLength: 3, selector: ([key]) => key })
				.map((members) => new Map(members)),
		),
	}));
	const toFlow = (value: unknown): string => {
		if (value instanceof Map)
			return `{${[...value].map(([key, member]) => `${JSON.stringify(key)}: ${toFlow(member)}`).join(", ")}}`;
		return Array.isArray(value) ? `[${value.map(toFlow).join(", ")}]` : JSON.stringify(value);
	};
	const before = Object.getOwnPropertyNames(Object.prototype);
	await fc.assert(
		fc.asyncProperty(name, node, node, async (property, value, extra) => {
			const text = component(
				"a",
				`{name: "${property}", value: ${toFlow(value)}, "${property}2": ${toFlow(extra)}}`,
				`"${property}": ${toFlow(extra)}\n`,
			);
			const { components } = await load({ "c.yaml": text });
			expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
			expect("polluted" in {}).toBe(false);
			for (const { properties, sources } of components) {
				expect(Object.getPrototypeOf(properties)).toBeNull();
				expect(Object.keys(sources)).toEqual(Object.keys(properties));
				if (value !== null) expect(Object.keys(properties)).toEqual([property]);
			}
		}),
		{ numRuns: 200 },
	);
});
