import { type CheckStep, checkBroker } from "../bindings/broker-check.js";
import { Mqtt3Binding } from "../bindings/mqtt3-binding.js";
import { ConfigurationError } from "../errors.js";
import { loadComponents } from "../runtime/load-components.js";
import { FlagValues } from "./flag-values.js";
import { type Flag, flagError, readFlags } from "./flags.js";
import { createRegistry } from "./registry.js";
import type { Environment } from "./sidecar.js";

const FLAGS: readonly Flag[] = [
	{ name: "app-id", value: "ID", help: "only the components that are in scope of this app (all of them)" },
	{ name: "client-id", value: "ID", help: "client identifier of the check (<consumerID>-check-<random>)" },
	{ name: "probe-topic", value: "TOPIC", help: "topic to publish to and read (mqtt3-binding/check/<random>)" },
	{ name: "help", help: "print this" },
	{ name: "h" },
];

const HELP = `Example:
  mqtt3-binding check ./components

Connects to the broker of each component as the sidecar would, and says of each step whether it works: name, TCP, TLS, CONNACK, SUBACK, a
message to itself, a shared group where one is configured. It touches nothing that runs: its client identifier, topic and group are its
own, its session is clean. Ends with 1 when a step failed; what could not be tried (an ACL that refuses the topic) is no failure.

Usage: mqtt3-binding check PATH… [flags]

${FLAGS.filter(({ help }) => help !== undefined)
	.map(({ name, value, help }) => `  --${value === undefined ? name : `${name} ${value}`}`.padEnd(24) + help)
	.join("\n")}
`;

const MARKS: Readonly<Record<CheckStep["state"], string>> = { ok: "✓", failed: "✗", untried: "?" };

/** The command `check`. Resolves with 1 when a step failed, else with 0; rejects with the problems of flags and components. */
export async function check(argv: readonly string[], env: Environment): Promise<number> {
	const { values, rest, problems } = readFlags(argv, FLAGS, { takesRest: true });
	const flags = new FlagValues(values);
	if (flags.boolean("help") === true || flags.boolean("h") === true) {
		process.stdout.write(HELP);
		return 0;
	}
	if (rest.length === 0)
		flags.problems.push(flagError("path", "a folder or a file is missing: mqtt3-binding check ./components"));
	const all = [...problems, ...flags.problems];
	if (all.length > 0) throw new AggregateError(all, "the flags can't be used");

	const say = (text: string) => void process.stdout.write(`${text}\n`);
	const registry = createRegistry(env, process.cwd());
	const { components } = await loadComponents({
		paths: rest,
		takesFiles: true,
		appId: flags.text("app-id"),
		namespace: env.NAMESPACE || undefined,
		env,
		registry,
		onWarning: (message) => say(`warning: ${message}`),
	});
	let failed = 0;
	for (const component of components) {
		const binding = new Mqtt3Binding();
		for (const warning of await binding.init(component)) say(`warning: ${warning}`);
		const { settings } = binding;
		for (const broker of settings.brokers) {
			say(`${component.name} (${component.source}) at ${broker.href}`);
			const options = { clientId: flags.text("client-id"), probeTopic: flags.text("probe-topic") };
			for await (const { step, state, text } of checkBroker(settings, broker, options)) {
				say(`  ${MARKS[state]} ${step.padEnd(12)} ${text}`);
				if (state === "failed") failed++;
			}
		}
		await binding.close();
	}
	if (components.length === 0) throw new ConfigurationError("there is no component to check");
	return failed > 0 ? 1 : 0;
}
