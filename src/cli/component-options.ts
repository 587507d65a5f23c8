import type { LogLevel } from "../diagnostics/logger.js";
import { FlagValues } from "./flag-values.js";
import { type Flag, flagError, readFlags } from "./flags.js";
import type { Environment } from "./sidecar.js";

/** The flags of `component` as values: defaults filled in, checked. */
export interface ComponentOptions {
	readonly folder: string;
	/** Nobody chose the folder: it is made if it is missing. */
	readonly isDefaultFolder: boolean;
	/** The component's types without `bindings.`; at least one. */
	readonly names: readonly string[];
	/** Permissions of the socket files. */
	readonly socketMode: number;
	/** The number of the socket files' group. */
	readonly socketGid: number | undefined;
	/** Absent: nothing is remembered over a restart. */
	readonly stateDir: string | undefined;
	/** Absent: no metrics. */
	readonly metrics: { readonly port: number; readonly address: string } | undefined;
	readonly gracePeriodMs: number;
	readonly logLevel: LogLevel;
	readonly logAsJson: boolean;
	readonly logFile: string | undefined;
}

/** Where daprd looks unless told otherwise. dapr: pkg/components/pluggable/discovery.go */
const DEFAULT_FOLDER = "/tmp/dapr-components-sockets";
/** daprd's own variable, then those that its injector and Dapr's SDK set. */
const FOLDER_VARIABLES = [
	"DAPR_COMPONENTS_SOCKETS_FOLDER",
	"DAPR_COMPONENT_SOCKETS_FOLDER",
	"DAPR_COMPONENT_SOCKET_FOLDER",
] as const;
const DEFAULT_NAME = "mqtt3-ts";
const MAX_NAMES = 16;

const COMPONENT_FLAGS: readonly Flag[] = [
	{ name: "socket-folder", value: "DIR", help: `folder that daprd looks into (${DEFAULT_FOLDER})` },
	{ name: "name", value: "NAME", help: `type of the component, bindings.NAME; may be repeated (${DEFAULT_NAME})` },
	{ name: "socket-mode", value: "MODE", help: "permissions of the socket file, in octal (0660)" },
	{ name: "socket-gid", value: "GID", help: "number of the socket file's group, for a daprd of another user" },
	{ name: "state-dir", value: "DIR", help: "remember what daprd sent with Init: output works again after a restart" },
	{ name: "metrics-port", value: "PORT", help: "serve metrics there (none; 0: any free one)" },
	{ name: "metrics-listen-address", value: "HOST", help: "address of the metrics (127.0.0.1)" },
	{ name: "graceful-shutdown-seconds", value: "N", help: "how long a stop waits for daprd's answers (5; 0: no limit)" },
	{ name: "log-level", value: "LEVEL", help: "debug, info, warn, error or fatal (info)" },
	{ name: "log-as-json", help: "one JSON object a line" },
	{ name: "log-file", value: "FILE", help: "append the log to a file instead of standard output" },
	{ name: "help", help: "print this" },
	{ name: "h" },
];

/** Reads the arguments after `component`. Throws an AggregateError with one ConfigurationError per problem. */
export function readComponentOptions(argv: readonly string[], env: Environment): ComponentOptions | "help" {
	const { values, command, problems } = readFlags(argv, COMPONENT_FLAGS);
	const flags = new FlagValues(values);
	if (flags.boolean("help") === true || flags.boolean("h") === true) return "help";
	if (command !== undefined) {
		flags.problems.push(flagError("name", "component starts no app: leave out what stands after --"));
	}
	const named = flags.text("socket-folder") || FOLDER_VARIABLES.map((name) => env[name]).find(Boolean);
	const graceSeconds = flags.integer("graceful-shutdown-seconds", 0, 86_400) ?? 5;
	const port = flags.integer("metrics-port", 0, 65_535);
	const options: ComponentOptions = {
		folder: named ?? DEFAULT_FOLDER,
		isDefaultFolder: named === undefined,
		names: readNames(flags),
		socketMode: readMode(flags),
		socketGid: flags.integer("socket-gid", 0, 2 ** 32 - 2),
		stateDir: flags.text("state-dir") || undefined,
		metrics: port === undefined ? undefined : { port, address: flags.text("metrics-listen-address") || "127.0.0.1" },
		gracePeriodMs: graceSeconds * 1_000,
		logLevel: flags.choice<LogLevel>("log-level", ["debug", "info", "warn", "error", "fatal"], "info"),
		logAsJson: flags.boolean("log-as-json") ?? false,
		logFile: flags.text("log-file") || undefined,
	};
	const all = [...problems, ...flags.problems];
	if (all.length > 0) throw new AggregateError(all, "the command line is wrong");
	return options;
}

/** daprd makes the type of the file's name without its last extension, and looks it up in lower case. */
function readNames(flags: FlagValues): readonly string[] {
	const names = [...new Set(flags.list("name"))];
	for (const name of names) {
		const shown = JSON.stringify(name);
		if (name.includes("/")) {
			flags.problems.push(flagError("name", `--name ${shown}: expected the type without "/" and folder: mqtt3`));
		} else if (name.startsWith("bindings.")) {
			flags.problems.push(
				flagError("name", `--name ${shown}: daprd adds "bindings." itself; did you mean ${name.slice(9)}?`),
			);
		} else if (!/^[\w-][\w.-]*$/.test(name)) {
			flags.problems.push(flagError("name", `--name ${shown}: expected letters, digits, "-", "_" and "."`));
		} else if (name !== name.toLowerCase()) {
			flags.problems.push(
				flagError("name", `--name ${shown}: daprd looks types up in lower case; did you mean ${name.toLowerCase()}?`),
			);
		}
	}
	if (names.length > MAX_NAMES) flags.problems.push(flagError("name", `--name: at most ${MAX_NAMES} names`));
	return names.length === 0 ? [DEFAULT_NAME] : names;
}

function readMode(flags: FlagValues): number {
	const given = flags.text("socket-mode");
	if (given === undefined) return 0o660;
	const mode = /^0?[0-7]{3}$/.test(given) ? Number.parseInt(given, 8) : Number.NaN;
	if ((mode & 0o600) === 0o600) return mode;
	flags.problem("socket-mode", "permissions in octal, with read and write for the owner: 0660");
	return 0o660;
}

/** `component --help`. */
export function componentHelp(): string {
	const rows = COMPONENT_FLAGS.filter((flag) => flag.help !== undefined).map(
		(flag) => [flag.value === undefined ? `--${flag.name}` : `--${flag.name} ${flag.value}`, flag.help!] as const,
	);
	const width = Math.max(...rows.map(([left]) => left.length));
	return `Example:
  mqtt3-binding component --name mqtt3

The component for the real daprd: a gRPC server on a Unix socket, DIR/NAME.sock, that daprd finds when it starts. Start this first,
then daprd. With --name mqtt3 it takes the place of daprd's own bindings.mqtt3, and component files stay as they are.

Flags:
${rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join("\n")}

Environment: DAPR_COMPONENTS_SOCKETS_FOLDER (where --socket-folder is not given).
`;
}
