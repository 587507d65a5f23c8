import { describe, expect, test } from "vitest";
import { startProgram } from "../../support/process.js";
import { launchSidecar } from "../../support/sidecar-process.js";
import { tempFolder } from "../../support/temp-folder.js";
import { type ComponentFields, component } from "./component.js";

/** Stands in secrets, and may stand in no output. */
const CANARY = "canary-7f3a";

/** Runs a sidecar that can't start, to its end; resolves with its lines. */
async function refused(files: Readonly<Record<string, string>>, env: Record<string, string> = {}): Promise<string[]> {
	await using folder = await tempFolder(files);
	await using sidecar = await launchSidecar({ resourcesPath: folder.path, env });
	expect(await sidecar.exited, sidecar.output.join("\n")).toEqual({ code: 1, signal: null });
	const text = sidecar.output.join("\n");
	expect(text).not.toContain(CANARY);
	expect(text, "no stack trace").not.toMatch(/^\s+at /m);
	for (const line of sidecar.output) expect(line).toMatch(/^(error: |time=\S+ level=warning )/);
	return sidecar.output.filter((line) => line.startsWith("error: "));
}

const MISSING = { url: undefined, topic: undefined, consumerID: undefined };

const BAD_VALUES: readonly (readonly [field: string, value: string, expected: RegExp])[] = [
	["url", "127.0.0.1:1883", /has no scheme.*tcp:\/\//],
	["url", "http://x", /has the unknown scheme "http" \(did you mean ws\?\)/],
	["url", "tcp://x:99999", /bad port.*1 to 65535/],
	["url", "tcp://x:", /url/],
	["url", `tcp://u:${CANARY}#x@host`, /holds a "#"; write it as %23/],
	["url", `tcp://:${CANARY}@host`, /password without a user name/],
	["topic", "a/#/b", /"a\/#\/b"/],
	["topic", "$share/g", /\$share/],
	["consumerID", "", /consumerID/],
	["cleanSession", "perhaps", /cleanSession.*"perhaps"/],
	["backOffMaxRetries", "three", /backOffMaxRetries.*"three"/],
	["backOffMaxRetries", "-2", /backOffMaxRetries.*-2/],
	["backOffInterval", "5 sec", /backOffInterval.*"5 sec"/],
	["keepAlive", "0", /keepAlive.*0/],
	["qos", "3", /qos.*3/],
	["maxPayloadSize", "4 Mb", /maxPayloadSize.*"4 Mb"/],
	["onRetriesExhausted", "retry", /onRetriesExhausted.*"retry".*hold.*drop/],
	["onRetriesExhausted", "deadLetter", /onRetriesExhausted.*needs deadLetterTopic/],
	["deadLetterTopic", "in/dead", /deadLetterTopic.*"in\/dead".*the filter "in\/#" matches it/],
	["handlerTimeout", "1 min", /handlerTimeout.*"1 min" is not a duration/],
	["ordering", "topics", /ordering.*"topics".*none or topic/],
	["consumerGroup", "g/h", /consumerGroup.*"g\/h" is not a group/],
	["unsubscribe", "old/#", /unsubscribe.*"old\/#" is not a list/],
	["dropOn", "999x", /dropOn.*"999x" is not a list of statuses/],
	["direction", "sideways", /direction.*"sideways".*input.*output/],
	["password", CANARY, /password needs a user name/],
	["willPayload", "x", /willPayload.*willTopic/],
];

describe("component files that can't be used", () => {
	test("all problems of all files are listed, each with file and line", async () => {
		const errors = await refused({
			"a.yaml": "apiVersion: [",
			"b.yaml": component({ name: "b", url: "tcp://x", retain: "maybe", keepAlive: "soon" }),
			"c.yaml": component({ name: "c", ...MISSING } as ComponentFields),
			"d.yaml": component({ name: "d", url: "tcp://x" }) + component({ name: "d", url: "tcp://y" }),
			"e.yaml": component({ name: "e", url: "nonsense://x" }).replace("bindings.mqtt3", "bindings.mqtt4"),
		});
		const expected = [
			/a\.yaml:1\b/,
			/b\.yaml:\d+.*retain.*"maybe".*true/,
			/b\.yaml:\d+.*keepAlive.*"soon"/,
			/c\.yaml:\d+.*url/,
			/c\.yaml:\d+.*topic/,
			/c\.yaml:\d+.*consumerID/,
			/"d".*d\.yaml:\d+.*another component has this name.*d\.yaml:\d+/,
			/e\.yaml:\d+.*"bindings\.mqtt4" is not supported, did you mean "bindings\.mqtt3?"/,
		];
		for (const pattern of expected)
			expect(
				errors.filter((line) => pattern.test(line)),
				String(pattern),
			).toHaveLength(1);
		expect(errors).toHaveLength(expected.length);
	});

	test.each([
		["there is no such folder", undefined, /no-such-folder/],
		["it is empty", {}, /no usable component in ".*": found 0 YAML files/],
		[
			"only others' kinds and types",
			{
				"x.yaml": "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: { name: x }\n",
				"y.yaml": component({ url: "x" }).replace("bindings.mqtt3", "state.redis"),
			},
			/no usable component in ".*": found 2 YAML files with 2 documents \(1 of kind Configuration, 1 of type state\.redis\)/,
		],
		["for other apps", { "x.yaml": `${component({ url: "tcp://x" })}scopes: [other]\n` }, /no usable component/],
	])("%s: nothing usable", async (_, files, pattern) => {
		await using folder = await tempFolder(files ?? {});
		const resourcesPath = files === undefined ? `${folder.path}/no-such-folder` : folder.path;
		await using sidecar = await launchSidecar({ resourcesPath });
		expect((await sidecar.exited).code).toBe(1);
		const errors = sidecar.output.filter((line) => line.startsWith("error: "));
		expect(errors).toEqual([expect.stringMatching(pattern)]);
		expect(sidecar.output.join("\n")).not.toMatch(/^\s+at /m);
	});

	test("each bad value is named with component, file and line, field and what is expected", async () => {
		const files = BAD_VALUES.map(([field, value], index) => {
			const name = `row-${index}`;
			return [`${name}.yaml`, component({ name, url: "tcp://127.0.0.1:1", [field]: value })];
		});
		const errors = await refused(Object.fromEntries(files));
		for (const [index, [field, value, expected]] of BAD_VALUES.entries()) {
			const own = errors.filter((line) => line.includes(`"row-${index}"`));
			const row = `${field}: ${value}`;
			expect(own, row).toHaveLength(1);
			expect(own[0], row).toMatch(expected);
			expect(own[0], row).toMatch(new RegExp(`row-${index}\\.yaml:\\d+\\): .*${field}`));
		}
		expect(errors).toHaveLength(BAD_VALUES.length);
	});

	test("an unknown field warns alone, with the name that is probably meant", async () => {
		const components = component({ url: "tcp://127.0.0.1:1", retian: "true", whatever: "1", nonsense: "2" });
		await using sidecar = await launchSidecar({ components });
		await sidecar.listening();
		expect(sidecar.output.filter((line) => /level=warning/.test(line) && /retian/.test(line))).toEqual([
			expect.stringMatching(/components\.yaml:\d+.*retian.*the nearest known name is .*retain/),
		]);
		for (const name of ["whatever", "nonsense"]) {
			expect(sidecar.output.filter((line) => /level=warning/.test(line) && line.includes(name))).toHaveLength(1);
		}
		expect((await sidecar.stop()).code).toBe(0);
	});

	test("ignoreErrors: such a component is left out with a warning, and the others work", async () => {
		const wrong = component({ name: "wrong", url: "tcp://x", retain: "maybe" }).replace(
			"spec:",
			"spec:\n  ignoreErrors: true",
		);
		await using sidecar = await launchSidecar({ components: wrong + component({ url: "tcp://127.0.0.1:1" }) });
		await sidecar.listening();
		expect(sidecar.output.filter((line) => /retain.*maybe/.test(line))).toEqual([
			expect.stringMatching(/level=warning/),
		]);
		const metadata = (await (await fetch(`${sidecar.url}/v1.0/metadata`)).json()) as { components: object[] };
		expect(metadata.components).toMatchObject([{ name: "orders" }]);
	});
});

describe("secrets that can't be had", () => {
	const store = (metadata: string) => `---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: vault }
spec:
  type: secretstores.local.file
  version: v1
  metadata:
    - { name: secretsFile, value: ${metadata} }
`;
	const secretUrl = (auth: string) =>
		`${component({ url: "x" }).replace('value: "x"', "secretKeyRef: { name: mqtt, key: url }")}${auth}`;
	const AUTH = "auth: { secretStore: vault }\n";

	test.each([
		["no store is named", secretUrl(""), /"url".*(secretStore|secret store)/],
		["the store is not defined", secretUrl(AUTH), /"url".*"vault"/],
		["its file is not there", store("/nowhere/secrets.json") + secretUrl(AUTH), /"vault".*\/nowhere\/secrets\.json/],
	])("%s: store and field are named", async (_, text, pattern) => {
		const errors = await refused({ "orders.yaml": text });
		expect(
			errors.filter((line) => pattern.test(line)),
			errors.join("\n"),
		).not.toEqual([]);
		for (const line of errors) expect(line).toMatch(/orders\.yaml:\d+/);
	});

	test("the secret is not in the store: its name is told, no value of the store", async () => {
		await using folder = await tempFolder({ "secrets.json": JSON.stringify({ other: CANARY }) });
		const text = store(`${folder.path}/secrets.json`) + secretUrl(AUTH);
		const errors = await refused({ "orders.yaml": text });
		expect(errors).toEqual([expect.stringMatching(/orders\.yaml:\d+.*"url".*"?mqtt"?/)]);
		expect(errors[0]).toContain("vault");
	});

	test("secrets that can be had are used and never shown", async () => {
		await using folder = await tempFolder({ "secrets.json": JSON.stringify({ password: CANARY }) });
		const text = component({ url: "tcp://127.0.0.1:1", username: "u", password: "x" }).replace(
			'password, value: "x"',
			"password, secretKeyRef: { name: password, key: password }",
		);
		await using sidecar = await launchSidecar({
			components: store(`${folder.path}/secrets.json`) + text + AUTH,
			args: ["--log-level", "debug"],
		});
		await sidecar.listening();
		await sidecar.line(/code=connect-failed /);
		const metadata = await (await fetch(`${sidecar.url}/v1.0/metadata`)).text();
		expect([...sidecar.output, metadata].join("\n")).not.toContain(CANARY);
	});
});

test("a sidecar without any flag says what it needs", async () => {
	await using program = startProgram(process.execPath, ["dist/cli/main.js", "run"]);
	expect((await program.exited).code).toBe(1);
	expect(program.output).toEqual([
		expect.stringMatching(/^error: --app-id is missing/),
		expect.stringMatching(/^error: --resources-path is missing/),
	]);
});
