import { spawnSync } from "node:child_process";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { tempFolder } from "../support/temp-folder.js";

const MAIN = join(import.meta.dirname, "..", "..", "dist", "cli", "main.js");

function run(cwd: string, ...args: readonly string[]) {
	const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
		cwd,
		encoding: "utf8",
	});
	return { status, stdout, stderr };
}

const validate = (cwd: string, ...args: readonly string[]) => run(cwd, "validate", ...args);

const GOOD = `apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: good }
spec:
  type: bindings.mqtt3
  metadata:
    - { name: url, value: "tcp://broker:1883" }
    - { name: topic, value: "in/#" }
    - { name: consumerID, value: good }
`;

const BAD = `apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: orders
spec:
  type: bindings.mqtt3
  metadata:
    - { name: url, value: "tcp://user:canary@broker:1883" }
    - name: topic
      value: "in/#"
    - { name: consumerID, value: orders }
    - { name: qos, value: 3 }
    - { name: retain, value: maybe }
    - name: password
      secretKeyRef: { name: mqtt, key: password }
auth:
  secretStore: vault
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: other }
scopes: [shop]
spec:
  type: bindings.mqtt33
`;

const TABS = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n\tpassword: canary\n";

describe("mqtt3-binding validate", () => {
	test("files that a start would take: one line, 0", async () => {
		await using folder = await tempFolder({ "components/good.yaml": GOOD });
		expect(validate(folder.path, "components")).toEqual({
			status: 0,
			stdout: "nothing is wrong: 1 component could be read\n",
			stderr: "",
		});
	});

	test("everything that is wrong in all files at once, with line, column and caret, and no value that may be a secret; 1", async () => {
		await using folder = await tempFolder({ "c/bad.yaml": BAD, "c/good.yaml": GOOD, "c/tabs.yml": TABS });
		const { status, stdout, stderr } = validate(folder.path, "c");
		expect(stdout).toBe(`c/bad.yaml:12:15: error: component "orders": field "qos": "3" is not a QoS: expected 0, 1 or 2
   12 |     - { name: qos, value: 3 }
      |               ^^^
c/bad.yaml:13:15: error: component "orders": field "retain": "maybe" is not a boolean: expected true, yes, y, t, on, 1 or false, no, n, f, off, 0
   13 |     - { name: retain, value: maybe }
      |               ^^^^^^
c/bad.yaml:14:13: error: component "orders": field "password": secret store "vault" is not defined, none is defined
   14 |     - name: password
      |             ^^^^^^^^
c/bad.yaml:24:3: error: component "other": spec.type "bindings.mqtt33" is not supported, did you mean "bindings.mqtt3"
   24 |   type: bindings.mqtt33
      |   ^^^^
c/tabs.yml:4:2: error: not valid YAML: tabs are not allowed as indentation
    4 | \tpassword: …
      | \t^^^^^^^^^^^
5 errors: 1 component could be read
`);
		expect([status, stderr]).toEqual([1, ""]);
		expect(stdout).not.toContain("canary");
	});

	test("a line is shown without what may be a secret: PEMs, URLs, texts, and values of names that are not known", async () => {
		const tls = GOOD.replace("tcp:", "ssl:").concat(
			"    - { name: caCert, value: canary }\n    - { name: pasword, value: canary }\n",
		);
		await using folder = await tempFolder({
			"c/tls.yaml": tls,
			"c/url.yaml": GOOD.replaceAll("good", "url").replace('"tcp://broker:1883"', "canary"),
		});
		const { stdout } = validate(folder.path, "c");
		expect(stdout).toMatch(
			/c\/tls\.yaml:10:15: error: component "good": .*caCert.*\n {3}10 \| {5}- \{ name: caCert, value: …\n {6}\| {15}\^{6}\n/,
		);
		expect(stdout).toMatch(/c\/url\.yaml:7:15: error: component "url": .*\n {4}7 \| {5}- \{ name: url, value: …\n/);
		expect(stdout).not.toContain("canary");
	});

	test("--app-id: components of other apps are passed over; a path may be a file", async () => {
		await using folder = await tempFolder({ "bad.yaml": BAD });
		const { stdout } = validate(folder.path, "--app-id", "thermostat", "bad.yaml");
		expect(stdout).not.toContain("mqtt33");
		expect(validate(folder.path, "bad.yaml", "--app-id=shop").stdout).toContain("mqtt33");
	});

	test("--format github marks lines; json is for programs", async () => {
		await using folder = await tempFolder({ "c/tabs.yml": TABS });
		expect(validate(folder.path, "--format", "github", "c").stdout).toBe(
			"::error file=c/tabs.yml,line=4,col=2::not valid YAML: tabs are not allowed as indentation\n",
		);
		const json = validate(folder.path, "--format", "json", "c");
		expect(JSON.parse(json.stdout)).toEqual([
			{
				severity: "error",
				file: "c/tabs.yml",
				line: 4,
				column: 2,
				message: "not valid YAML: tabs are not allowed as indentation",
			},
		]);
		expect(json.status).toBe(1);
	});

	test("flags that can't be meant: one line each on standard error, 1", async () => {
		await using folder = await tempFolder();
		const said = [
			validate(folder.path),
			validate(folder.path, "c", "--format", "xml"),
			validate(folder.path, "c", "--formt", "json"),
			validate(folder.path, "nowhere"),
		];
		expect(said.map(({ status }) => status)).toEqual([1, 1, 1, 1]);
		expect(said.map(({ stderr, stdout }) => stderr || stdout)).toEqual([
			"error: a folder or a file is missing: mqtt3-binding validate ./components\n",
			'error: --format "xml": expected text, json, github\n',
			"error: unknown flag --formt; did you mean --format?\n",
			expect.stringMatching(/^error: component folder "nowhere" cannot be read: ENOENT/),
		]);
		expect(validate(folder.path, "--help").stdout).toMatch(/^Example:\n {2}mqtt3-binding validate \.\/components\n/);
	});

	test("500 component files take less than the 2 s that a person waits", async () => {
		const files = Object.fromEntries(
			Array.from({ length: 500 }, (_, index) => [`c/${index}.yaml`, GOOD.replaceAll("good", `c${index}`)]),
		);
		await using folder = await tempFolder(files);
		const startedAt = performance.now();
		const { stdout } = validate(folder.path, "c");
		expect(stdout).toBe("nothing is wrong: 500 components could be read\n");
		// Generous: other tests run at the same time.
		expect(performance.now() - startedAt).toBeLessThan(10_000);
	});
});

test("mqtt3-binding schema prints the schema that editors take; a flag that it does not know is refused", () => {
	const { status, stdout } = run("/", "schema");
	expect(status).toBe(0);
	expect(JSON.parse(stdout)).toMatchObject({ $schema: "http://json-schema.org/draft-07/schema#", type: "object" });
	expect(stdout).toContain('"consumerID"');
	expect(run("/", "schema", "--help").stdout).toMatch(/^Example:\n {2}mqtt3-binding schema > /);
	expect(run("/", "schema", "--foo")).toMatchObject({ status: 1, stderr: "error: unknown flag --foo\n" });
});

describe("mqtt3-binding init", () => {
	test("writes a file that validate takes, with all its comments taken away as well, and never overwrites one", async () => {
		await using folder = await tempFolder();
		const args = ["--name", "shop", "--url", "ssl://broker", "--topic", 'a "b"/#'];
		expect(run(folder.path, "init", ...args)).toEqual({
			status: 0,
			stdout:
				"components/shop.yaml is written; next:\n  mqtt3-binding check components\n  mqtt3-binding run --app-id my-app --app-port 3000 --resources-path components\n",
			stderr: "",
		});
		const file = join(folder.path, "components/shop.yaml");
		expect((await stat(file)).mode & 0o777).toBe(0o600);
		const text = await readFile(file, "utf8");
		expect(text).toContain('      value: "a \\"b\\"/#"\n');
		expect(validate(folder.path, "components").stdout).toBe("nothing is wrong: 1 component could be read\n");
		const uncommented = text
			.replace(/^ {4}# (- name:| {2}(?:value|envRef):)/gm, "    $1")
			.replace(/- name: caCert\n.*\n/, "");
		expect(uncommented).toMatch(/^ {4}- name: qos\n {6}value: "1"$/m);
		await folder.write("more/all.yaml", uncommented.replace("envRef: MQTT_PASSWORD", "envRef: PATH"));
		expect(validate(folder.path, "more").stdout).toBe("nothing is wrong: 1 component could be read\n");
		const again = run(folder.path, "init", ...args);
		expect([again.status, again.stderr]).toEqual([
			1,
			"error: components/shop.yaml is there already, and stays as it is: --name or --folder names another place\n",
		]);
		expect(await readFile(file, "utf8")).toBe(text);
	});

	test("without flags it has defaults; a name that can't be meant is refused", async () => {
		await using folder = await tempFolder();
		expect(run(folder.path, "init").status).toBe(0);
		expect(validate(folder.path, "components/orders.yaml").status).toBe(0);
		expect(run(folder.path, "init", "--name", "a/b")).toMatchObject({
			status: 1,
			stderr: 'error: --name "a/b": expected a name without / and %\n',
		});
	});
});
