import { describe, expect, it } from "vitest";
import type { ComponentDocument } from "./component-loader.js";
import { readHeader, readManifest } from "./component-manifest.js";
import { readYamlDocuments } from "./yaml-documents.js";

function toDocument(text: string): ComponentDocument {
	const [document] = readYamlDocuments(text);
	if (document === undefined || "problem" in document) throw new Error(document?.problem ?? "no document");
	return { content: document.content, source: (path) => `c.yaml:${document.line(path)}` };
}

function problemsOf(text: string): readonly string[] {
	const manifest = readManifest(toDocument(text));
	if ("name" in manifest) throw new Error("nothing is wrong with it");
	return manifest.map(({ message }) => message);
}

const FULL = `apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: orders
  namespace: shop
  labels: {a: b}
spec:
  type: bindings.mqtt3
  version: v1
  ignoreErrors: true
  initTimeout: 1m30s
  metadata:
  - name: url
    secretKeyRef: {name: mqtt, key: url}
  - name: topic
    value: ""
  - name: qos
    value: 1
  - name: topics
    value: [a, b]
  - name: retain
    value: yes
  - name: username
    envRef: MQTT_USER
  - name: password
    value:
auth:
  secretStore: vault
scopes: [one, 2]
`;

describe("readManifest", () => {
	it("reads a component", () => {
		expect(readManifest(toDocument(FULL))).toEqual({
			name: "orders",
			type: "bindings.mqtt3",
			version: "v1",
			ignoreErrors: true,
			initTimeoutMs: 90_000,
			secretStore: "vault",
			source: "c.yaml:1",
			warnings: [],
			metadata: [
				{ name: "url", secretKeyRef: { name: "mqtt", key: "url" }, source: "c.yaml:13" },
				{ name: "topic", value: "", source: "c.yaml:15" },
				{ name: "qos", value: "1", source: "c.yaml:17" },
				{ name: "topics", value: '["a","b"]', source: "c.yaml:19" },
				{ name: "retain", value: "true", source: "c.yaml:21" },
				{ name: "username", envRef: "MQTT_USER", source: "c.yaml:23" },
				{ name: "password", source: "c.yaml:25" },
			],
		});
	});

	it("takes field names in any case, numbers for text, and null for nothing", () => {
		const text = `METADATA: {Name: 123}
spec: {TYPE: bindings.mqtt3, Version: , Metadata: [{NAME: 5, SecretKeyref: {Name: a, key: }}]}
Auth: {secretstore: 7}
scopes:
`;
		expect(readManifest(toDocument(text))).toEqual({
			name: "123",
			type: "bindings.mqtt3",
			version: "v1",
			ignoreErrors: false,
			initTimeoutMs: 5_000,
			warnings: [],
			metadata: [{ name: "5", secretKeyRef: { name: "a" }, source: "c.yaml:2" }],
			secretStore: "7",
			source: "c.yaml:1",
		});
	});

	it.each([
		["", 5_000],
		["initTimeout: 250ms", 250],
		["initTimeout: 0s", 5_000, '"0s"'],
		["initTimeout: 30", 5_000, '"30"'],
		["initTimeout: soon", 5_000, '"soon"'],
	])("of %j the initTimeout is %d ms, with a word where that was not meant", (line, ms, written?: string) => {
		const text = `metadata: {name: a}\nspec:\n  type: bindings.mqtt3\n  ${line}\n`;
		const manifest = readManifest(toDocument(text));
		const warnings =
			written === undefined
				? []
				: [
						`component "a" (c.yaml:4): spec.initTimeout is ${written}, expected a duration such as 30s; 5s holds, as in Dapr`,
					];
		expect(manifest).toMatchObject({ initTimeoutMs: ms, warnings });
	});

	it.each([
		["", "v1"],
		["version: ''", "v1"],
		["version: v0", "v0"],
		["version: V1", "v1"],
	])("the version of %j is %s", (line, version) => {
		const manifest = readManifest(toDocument(`metadata: {name: a}\nspec:\n  type: b\n  ${line}\n`));
		expect(manifest).toHaveProperty("version", version);
	});

	it.each([
		["metadata: {name: a}\n", ['component "a" (c.yaml:1): spec is missing']],
		["spec: {type: b}\n", ["component (c.yaml:1): metadata is missing"]],
		[
			"metadata:\n  x: 1\nspec:\n  y: 1\n",
			["component (c.yaml:1): metadata.name is missing", "component (c.yaml:3): spec.type is missing"],
		],
		[
			"metadata: a\nspec: [b]\n",
			[
				"component (c.yaml:1): metadata is text, expected a map",
				"component (c.yaml:2): spec is a list, expected a map",
			],
		],
		[
			"metadata:\n  name: a/b\nspec: {type: b}\n",
			['component "a/b" (c.yaml:2): metadata.name is "a/b", expected a name without / and %, other than . and ..'],
		],
		[
			"metadata:\n  name: ..\nspec: {type: b}\n",
			['component ".." (c.yaml:2): metadata.name is "..", expected a name without / and %, other than . and ..'],
		],
		["metadata: {name: ''}\nspec: {type: b}\n", ['component "" (c.yaml:1): metadata.name is empty, expected text']],
		["metadata: {name: [a]}\nspec: {type: b}\n", ["component (c.yaml:1): metadata.name is a list, expected text"]],
		[
			"metadata: {name: a}\nspec:\n  type: b\n  version: v2\n",
			['component "a" (c.yaml:4): spec.version is "v2", expected "v1"'],
		],
		[
			"metadata: {name: a}\nspec:\n  type: b\n  version: 1\n",
			['component "a" (c.yaml:4): spec.version is "1", expected "v1"'],
		],
		[
			"metadata: {name: a}\nspec:\n  type: b\n  ignoreErrors: maybe\n",
			['component "a" (c.yaml:4): spec.ignoreErrors is maybe, expected true or false'],
		],
		[
			"metadata: {name: a}\nspec:\n  type: b\n  metadata: {url: x}\n",
			['component "a" (c.yaml:4): spec.metadata is a map, expected a list'],
		],
		[
			"metadata: {name: a}\nspec:\n  type: b\n  metadata:\n  - url\n",
			['component "a" (c.yaml:5): spec.metadata[0] is text, expected a map'],
		],
		[
			"metadata: {name: a}\nspec:\n  type: b\n  metadata:\n  - name: x\n  - value: s3cret\n",
			['component "a" (c.yaml:6): spec.metadata[1].name is missing'],
		],
		[
			"metadata: {name: a}\nspec:\n  type: b\n  metadata:\n  - name: x\n    secretKeyRef: s3cret\n",
			['component "a" (c.yaml:6): spec.metadata[0].secretKeyRef is text, expected a map'],
		],
		[
			"metadata: {name: a}\nspec:\n  type: b\n  metadata:\n  - name: x\n    secretKeyRef:\n      key: k\n",
			['component "a" (c.yaml:6): spec.metadata[0].secretKeyRef.name is missing'],
		],
		[
			"metadata: {name: a}\nspec:\n  type: b\n  metadata:\n  - name: x\n    value: .inf\n",
			[
				'component "a" (c.yaml:6): spec.metadata[0].value is not usable, expected text, a finite number, true, false, a list or a map',
			],
		],
		[
			"metadata: {name: a}\nspec: {type: b}\nscopes: app\n",
			['component "a" (c.yaml:3): scopes is text, expected a list'],
		],
		[
			"metadata: {name: a}\nspec: {type: b}\nscopes: [x, [y]]\n",
			['component "a" (c.yaml:3): scopes[1] is a list, expected text'],
		],
		["metadata: {name: a}\nspec: {type: b}\nauth: vault\n", ['component "a" (c.yaml:3): auth is text, expected a map']],
		["metadata:\n  name: a\n  Name: b\nspec: {type: b}\n", ['component "a" (c.yaml:2): metadata.name is there twice']],
		[
			"metadata: {name: a}\nspec:\n  type: b\n  metadata:\n  - name: url\n    value: x\n  - name: URL\n    value: y\n",
			['component "a" (c.yaml:7): field "URL": is already given at c.yaml:5'],
		],
	])("%j is refused", (text, problems) => {
		expect(problemsOf(text)).toEqual(problems);
	});

	it("names the component and the field on the error", () => {
		const errors = readManifest(toDocument("metadata: {name: a}\nspec: {type: b, version: v9}\n"));
		expect(errors).toMatchObject([{ code: "ERR_CONFIGURATION", component: "a", property: "spec.version" }]);
	});
});

describe("readHeader", () => {
	it("reads what there is of a document of any shape", () => {
		expect(readHeader(toDocument(FULL).content)).toEqual({
			apiVersion: "dapr.io/v1alpha1",
			kind: "Component",
			name: "orders",
			namespace: "shop",
			type: "bindings.mqtt3",
			scopes: ["one", "2"],
			ignoreErrors: true,
		});
		for (const text of ["[1]", "text", "metadata: 1\nspec: [1]\n", "metadata: {name: [a]}"]) {
			expect(readHeader(toDocument(text).content)).toEqual({ scopes: [], ignoreErrors: false });
		}
		expect(readHeader(toDocument("scopes: x").content).scopes).toBeUndefined();
	});
});
