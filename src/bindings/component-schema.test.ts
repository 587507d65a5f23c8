import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv, type ErrorObject } from "ajv";
import { describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { componentSchema } from "./component-schema.js";
import { MQTT3_FIELDS } from "./mqtt3-fields.js";

const ROOT = join(import.meta.dirname, "..", "..");
const validate = new Ajv({ allErrors: true, strict: true, allowUnionTypes: true })
	.addKeyword("markdownDescription")
	.compile(componentSchema(["bindings.mqtt3"], MQTT3_FIELDS));

function component(metadata: readonly unknown[], more: Readonly<Record<string, unknown>> = {}) {
	return {
		apiVersion: "dapr.io/v1alpha1",
		kind: "Component",
		metadata: { name: "orders" },
		spec: { type: "bindings.mqtt3", version: "v1", metadata },
		...more,
	};
}

function problems(document: unknown): readonly string[] {
	if (validate(document)) return [];
	return validate
		.errors!.filter(({ keyword }) => keyword !== "if")
		.map((error: ErrorObject) => `${error.instancePath} ${error.message}`);
}

describe("the JSON Schema of component files", () => {
	test.each(Object.entries(MQTT3_FIELDS))("takes the example of %s", (name, field) => {
		expect(problems(component([{ name, value: field.example }]))).toEqual([]);
	});

	test("takes every component file of the examples and of the demo", () => {
		const folders = readdirSync(join(ROOT, "examples"), { recursive: true, encoding: "utf8" })
			.filter((file) => /components\/.*\.yaml$/.test(file))
			.map((file) => join(ROOT, "examples", file));
		const files = [...folders, join(ROOT, "demo/components/boiler.yaml")];
		expect(files.length).toBeGreaterThanOrEqual(3);
		for (const file of files) {
			for (const document of parseAllDocuments(readFileSync(file, "utf8"), { version: "1.1" })) {
				const content = document.toJS() as { spec?: { type?: string } };
				if (content.spec?.type !== "bindings.mqtt3") continue;
				expect([file, problems(content)]).toEqual([file, []]);
			}
		}
	});

	test("takes references, names in another case, unknown names, lists, and scalars as YAML has them", () => {
		const metadata = parse(
			`
- { name: url, secretKeyRef: { name: mqtt, key: url } }
- { name: TOPIC, value: in/# }
- { name: topics, value: [a, b] }
- { name: retain, value: yes }
- { name: keepAlive, value: 30 }
- { name: qos, value: 1 }
- { name: password, envRef: MQTT_PASSWORD }
- { name: consumerID, value: 5 }
- { name: of-another-product, value: { any: thing } }
`,
			{ version: "1.1" },
		);
		expect(problems(component(metadata, { auth: { secretStore: "vault" }, scopes: ["shop"] }))).toEqual([]);
	});

	test.each([
		[[{ name: "qos", value: 3 }], "/spec/metadata/0/value must be equal to one of the allowed values"],
		[[{ name: "retain", value: "maybe" }], "/spec/metadata/0/value must match a schema in anyOf"],
		[
			[{ name: "onRetriesExhausted", value: "park" }],
			"/spec/metadata/0/value must be equal to one of the allowed values",
		],
		[[{ value: "x" }], "/spec/metadata/0 must have required property 'name'"],
		[{ url: "tcp://broker" }, "/spec/metadata must be array"],
		[
			[{ name: "password", secretKeyRef: { key: "x" } }],
			"/spec/metadata/0/secretKeyRef must have required property 'name'",
		],
	])("refuses %j", (metadata, problem) => {
		expect(problems(component(metadata as readonly unknown[]))).toContain(problem);
	});

	test("refuses another type, kind and version", () => {
		const other = {
			...component([]),
			kind: "Componet",
			apiVersion: "v1",
			spec: { type: "bindings.mqtt33", metadata: [] },
		};
		expect(problems(other)).toEqual([
			"/apiVersion must be equal to constant",
			"/kind must be equal to constant",
			"/spec/type must be equal to one of the allowed values",
		]);
	});

	test("tells of each field what it does, its default and an example", () => {
		const { spec } = componentSchema(["bindings.mqtt3"], MQTT3_FIELDS).properties as Record<string, never>;
		const text = JSON.stringify(spec);
		for (const [name, { meaning, example }] of Object.entries(MQTT3_FIELDS)) {
			for (const part of [name, meaning, example]) expect(text).toContain(JSON.stringify(part).slice(1, -1));
		}
	});
});
