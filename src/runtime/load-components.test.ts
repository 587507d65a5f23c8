import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { component, load, loadFolder, summary } from "../../test/support/load-components.js";
import { tempFolder } from "../../test/support/temp-folder.js";
import type { ResolvedComponent } from "./runtime.js";

const CANARY = "s3cret-canary";

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
				files: {},
				hasSecrets: false,
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
