import { join } from "node:path";
import { expect, it } from "vitest";
import { tempFolder } from "../../test/support/temp-folder.js";
import { ConfigurationError, SecretError } from "../errors.js";
import { LocalFile } from "./local-file.js";

const SOURCES = { source: "c.yaml:1", sources: { secretsFile: "c.yaml:8", multiValued: "c.yaml:10" } };

async function openStore(content: string | Uint8Array, properties: Record<string, string> = {}) {
	await using folder = await tempFolder({ "secrets.json": content });
	const store = new LocalFile(folder.path);
	const warnings = await store.init({
		name: "file",
		properties: { secretsFile: "secrets.json", ...properties },
		...SOURCES,
	});
	return { store, warnings };
}

it("finds the file in its folder and reads it once", async () => {
	const { store, warnings } = await openStore('{"a": {"b": "s3cret"}}');
	expect(warnings).toEqual([]);
	expect({ ...(await store.getSecret("a:b")) }).toEqual({ "a:b": "s3cret" });
});

it("takes an absolute path", async () => {
	await using folder = await tempFolder({ "s.json": '{"a": "s3cret"}' });
	const store = new LocalFile("/nowhere");
	await store.init({ name: "file", properties: { SECRETSFILE: join(folder.path, "s.json") } });
	expect({ ...(await store.getSecret("a")) }).toEqual({ a: "s3cret" });
});

it("takes separator and multiValued, and a byte order mark", async () => {
	const { store } = await openStore('\ufeff{"a": {"b": {"c": "s3cret"}}}', {
		nestedSeparator: "/",
		multiValued: "Yes",
	});
	expect({ ...(await store.getSecret("a")) }).toEqual({ "b/c": "s3cret" });
});

it.each(["b", "toString", "__proto__"])("names store, secret and file when there is no secret %s", async (name) => {
	const { store } = await openStore('{"a": "s3cret"}');
	const error: unknown = await store.getSecret(name).catch((reason) => reason);
	expect(error).toBeInstanceOf(SecretError);
	expect(error).toMatchObject({
		message: `secret store "file": no secret "${name}" in "secrets.json"`,
		store: "file",
		key: name,
	});
});

it.each([
	[
		'{"a": s3cret}',
		/^component "file" \(c\.yaml:8\): field "secretsFile": "secrets\.json" is not valid JSON(?:: line 1)?$/,
	],
	["[]", /^component "file" \(c\.yaml:8\): field "secretsFile": "secrets\.json" is not a JSON object$/],
	[new Uint8Array([0xff]), /^component "file" \(c\.yaml:8\): field "secretsFile": "secrets\.json" is not valid UTF-8$/],
	[
		" ".repeat(1024 * 1024 + 1),
		/^component "file" \(c\.yaml:8\): field "secretsFile": "secrets\.json" is larger than 1048576 bytes$/,
	],
])("refuses a bad file without its content", async (content, message) => {
	const error = await openStore(content).catch((reason: unknown) => reason);
	expect(error).toBeInstanceOf(ConfigurationError);
	expect(error).toMatchObject({ message: expect.stringMatching(message), component: "file", property: "secretsFile" });
	expect((error as Error).cause).toBeUndefined();
});

it("refuses metadata that it cannot use", async () => {
	const store = new LocalFile("/nowhere");
	await expect(store.init({ name: "file", properties: {}, ...SOURCES })).rejects.toThrow(
		'component "file" (c.yaml:1): missing secretsFile',
	);
	await expect(store.init({ name: "file", properties: { secretsFile: "s.json" }, ...SOURCES })).rejects.toThrow(
		`component "file" (c.yaml:8): field "secretsFile": "s.json" cannot be read: ENOENT: no such file or directory, open '/nowhere/s.json'`,
	);
	await expect(openStore("{}", { multiValued: "maybe" })).rejects.toThrow(
		'component "file" (c.yaml:10): field "multiValued": "maybe" is not a boolean: expected true or false',
	);
});

it("warns of fields that it does not know", async () => {
	expect((await openStore("{}", { nestedSeperator: "/" })).warnings).toEqual([
		'component "file" (c.yaml:1): unknown field "nestedSeperator" is ignored, known: secretsFile, nestedSeparator, multiValued',
	]);
});
