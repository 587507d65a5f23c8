import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Field } from "../bindings/field.js";
import { formatValue } from "../bindings/field-value.js";
import { MQTT3_FIELDS } from "../bindings/mqtt3-fields.js";
import { ConfigurationError } from "../errors.js";
import { FlagValues } from "./flag-values.js";
import { type Flag, flagError, readFlags } from "./flags.js";

const FLAGS: readonly Flag[] = [
	{ name: "name", value: "NAME", help: "the component's name, and its file's (orders)" },
	{ name: "url", value: "URL", help: "the broker (tcp://localhost:1883)" },
	{ name: "topic", value: "TOPIC", help: "what is read, and where publishes go that name no topic (NAME/#)" },
	{ name: "consumer-id", value: "ID", help: "the client identifier, which names the session (NAME)" },
	{ name: "folder", value: "DIR", help: "where the file goes (components)" },
	{ name: "help", help: "print this" },
	{ name: "h" },
];

const HELP = `Example:
  mqtt3-binding init --name orders --url tcp://localhost:1883 --topic 'orders/#'

Writes a component file with comments, components/orders.yaml. A file that is there stays as it is.

${FLAGS.filter(({ help }) => help !== undefined)
	.map(({ name, value, help }) => `  --${value === undefined ? name : `${name} ${value}`}`.padEnd(22) + help)
	.join("\n")}
`;

/** Shown with their defaults, to be taken into use. */
const MORE = [
	"qos",
	"cleanSession",
	"maxInFlight",
	"backOffMaxRetries",
	"backOffInterval",
	"deadLetterTopic",
	"ordering",
	"caCert",
] as const;

/** The command `init`. Resolves with the exit code; rejects with ConfigurationError where it can't write, or would overwrite. */
export async function init(argv: readonly string[]): Promise<number> {
	const { values, command, problems } = readFlags(argv, FLAGS);
	const flags = new FlagValues(values);
	if (flags.boolean("help") === true || flags.boolean("h") === true) {
		process.stdout.write(HELP);
		return 0;
	}
	const name = flags.text("name") ?? "orders";
	if (!/^[^/%\s]+$/.test(name) || name === "." || name === "..") flags.problem("name", "a name without / and %");
	if (command !== undefined)
		flags.problems.push(flagError("name", "init starts no app: leave out what stands after --"));
	const all = [...problems, ...flags.problems];
	if (all.length > 0) throw new AggregateError(all, "the flags can't be used");

	const folder = flags.text("folder") ?? "components";
	const file = join(folder, `${name}.yaml`);
	const text = componentText(name, {
		url: flags.text("url") ?? "tcp://localhost:1883",
		topic: flags.text("topic") ?? `${name}/#`,
		consumerID: flags.text("consumer-id") ?? name,
	});
	try {
		await mkdir(folder, { recursive: true });
		// It may come to hold a password.
		await writeFile(file, text, { flag: "wx", mode: 0o600 });
	} catch (cause) {
		const { code, message } = cause as NodeJS.ErrnoException;
		const why =
			code === "EEXIST"
				? "is there already, and stays as it is: --name or --folder names another place"
				: `can't be written: ${message}`;
		throw new ConfigurationError(`${file} ${why}`, { cause, property: "--folder" });
	}
	process.stdout.write(`${file} is written; next:
  mqtt3-binding check ${folder}
  mqtt3-binding run --app-id my-app --app-port 3000 --resources-path ${folder}
`);
	return 0;
}

function componentText(name: string, given: Readonly<Record<"url" | "topic" | "consumerID", string>>): string {
	const fields = Object.entries(given).map(
		([field, value]) =>
			`${comment(field as keyof typeof given)}    - name: ${field}\n      value: ${JSON.stringify(value)}\n`,
	);
	const more = MORE.map((field) => `${comment(field)}    # - name: ${field}\n    #   value: ${sampleOf(field)}\n`);
	return `apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: ${JSON.stringify(name)} # events go to POST /${name}, and POST /v1.0/bindings/${name} publishes
spec:
  type: bindings.mqtt3
  version: v1
  metadata:
${fields.join("")}
    # A password belongs into a secret store, which auth.secretStore names, or into the environment:
    # - name: username
    #   value: "my-user"
    # - name: password
    #   envRef: MQTT_PASSWORD

    # More fields, as they are without a word. All of them: docs/reference/metadata.md
${more.join("")}`;
}

function comment(name: keyof typeof MQTT3_FIELDS): string {
	const [sentence = ""] = MQTT3_FIELDS[name].meaning.split(/(?<=\.)\s/);
	return `    # ${sentence}\n`;
}

function sampleOf(name: keyof typeof MQTT3_FIELDS): string {
	const field: Field = MQTT3_FIELDS[name];
	return JSON.stringify(field.default === undefined ? field.example : formatValue(field, field.default));
}
