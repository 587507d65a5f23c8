import { componentSchema } from "../bindings/component-schema.js";
import { MQTT3_FIELDS } from "../bindings/mqtt3-fields.js";
import { type Flag, readFlags } from "./flags.js";

const FLAGS: readonly Flag[] = [{ name: "help", help: "print this" }, { name: "h" }];

const HELP = `Example:
  mqtt3-binding schema > mqtt3.schema.json

Prints the JSON Schema of component files: names of fields, what they mean, what they take. Editors with YAML support complete and check with
it, where a file begins with
  # yaml-language-server: $schema=mqtt3.schema.json
What it can't say, such as which fields go together, mqtt3-binding validate does.
`;

/** The command `schema`. Resolves with the exit code; rejects with the problems of its flags. */
export async function schema(argv: readonly string[]): Promise<number> {
	const { values, problems } = readFlags(argv, FLAGS);
	if (problems.length > 0) throw new AggregateError(problems, "the flags can't be used");
	if (values.size > 0) process.stdout.write(HELP);
	else {
		const document = componentSchema(["bindings.mqtt3", "bindings.mqtt", "bindings.mqtt3-ts"], MQTT3_FIELDS);
		process.stdout.write(`${JSON.stringify(document, undefined, "\t")}\n`);
	}
	return 0;
}
