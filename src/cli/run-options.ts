import { isIP } from "node:net";
import { join } from "node:path";
import type { LogLevel } from "../diagnostics/logger.js";
import { ConfigurationError } from "../errors.js";
import { FlagValues } from "./flag-values.js";
import { flagError, readFlags } from "./flags.js";
import { RUN_FLAGS } from "./run-flags.js";

/** daprd's. */
export const DEFAULT_GRPC_PORT = 50_001;

/** What an app may speak. */
const APP_PROTOCOLS = ["http", "https", "h2c", "grpc", "grpcs"] as const;
export type AppProtocol = (typeof APP_PROTOCOLS)[number];

/** The flags of `run` as values: defaults filled in, checked. */
export interface RunOptions {
	readonly appId: string;
	/** Absent: no app, output bindings only. */
	readonly appPort: number | undefined;
	readonly appProtocol: AppProtocol;
	readonly appChannelAddress: string;
	/** Undefined: no limit. */
	readonly appMaxConcurrency: number | undefined;
	readonly appProbeTimeoutMs: number;
	/** Absent: the app is not asked whether it is well. */
	readonly appHealthCheck: AppHealthCheck | undefined;
	readonly resourcesPaths: readonly string[];
	/** Changes in component files are taken up while it runs. */
	readonly hotReload: boolean;
	/** How often they are looked at where the system tells of no change. */
	readonly reconcileIntervalMs: number;
	readonly httpPort: number;
	/** Undefined: 50001, or any free one where that is taken. */
	readonly grpcPort: number | undefined;
	/** The files that the APIs answer on in place of ports and addresses. Absent: TCP. */
	readonly socketPaths: { readonly http: string; readonly grpc: string } | undefined;
	/** As written; empty: loopback only. */
	readonly listenAddresses: readonly string[];
	readonly allowUnauthenticated: boolean;
	readonly apiLogging: boolean;
	readonly allowedHosts: readonly string[];
	readonly allowedOrigins: readonly string[];
	/** Absent: no metrics. */
	readonly metrics: MetricsListener | undefined;
	/** Bytes; 0: no limit. */
	readonly maxBodySize: number;
	readonly maxHeaderSize: number;
	/** 0: without end. */
	readonly gracePeriodMs: number;
	readonly blockShutdownMs: number;
	readonly logLevel: LogLevel;
	readonly logAsJson: boolean;
	readonly logFile: string | undefined;
	/** Flags that were given and have no effect in this version. */
	readonly ignoredFlags: readonly string[];
	/** The app's command, which stands after `--`. */
	readonly command: readonly [string, ...string[]] | undefined;
}

/** How the app is asked whether it is well. */
export interface AppHealthCheck {
	/** With a leading slash. */
	readonly path: string;
	readonly intervalMs: number;
	readonly timeoutMs: number;
	/** So many failures in a row make the app unhealthy. */
	readonly threshold: number;
}

/** Where metrics are served. */
export interface MetricsListener {
	/** Undefined: 9090, or any free one where that is taken. */
	readonly port: number | undefined;
	/** The host without brackets, as sockets take it. */
	readonly address: string;
}

/** What a `run` command line asks for. */
export type RunRequest =
	| { readonly kind: "help" | "version" | "build-info" }
	/** Wait for another sidecar on this port. */
	| { readonly kind: "wait"; readonly httpPort: number }
	| { readonly kind: "run"; readonly options: RunOptions };

/** Reads the arguments after `run`. Throws an AggregateError with one ConfigurationError per problem. */
export function readRunRequest(argv: readonly string[]): RunRequest {
	const { values: given, command, problems } = readFlags(argv, RUN_FLAGS);
	const flags = new FlagValues(given);
	for (const kind of ["help", "version", "build-info"] as const) if (flags.boolean(kind) === true) return { kind };
	if (flags.boolean("h") === true) return { kind: "help" };

	const httpPort = flags.integer("dapr-http-port", 0, 65_535) ?? 3_500;
	const request: RunRequest =
		flags.boolean("wait") === true
			? { kind: "wait", httpPort }
			: { kind: "run", options: readRunOptions(flags, httpPort, command) };
	const all = [...problems, ...flags.problems];
	if (all.length > 0) throw new AggregateError(all, "the command line is wrong");
	return request;
}

function readRunOptions(flags: FlagValues, httpPort: number, command: readonly string[] | undefined): RunOptions {
	const appPort = flags.integer("app-port", 0, 65_535);
	const [program, ...programArguments] = command ?? [];
	if (command !== undefined && program === undefined) {
		flags.problems.push(new ConfigurationError("no command after --"));
	}
	const socketFolder = flags.text("unix-domain-socket") || undefined;
	const grpcPort = flags.integer("dapr-grpc-port", 0, 65_535);
	if (socketFolder === undefined) {
		checkPorts(flags, { "app-port": appPort, "dapr-grpc-port": grpcPort, "dapr-http-port": httpPort });
	}
	if (flags.boolean("enable-mtls") === true) {
		flags.problems.push(
			flagError("enable-mtls", "--enable-mtls: there is no mTLS between sidecars here; leave it out"),
		);
	}
	const concurrency = flags.integer("app-max-concurrency", -1, 1_000_000) ?? -1;
	const graceSeconds = flags.integer("dapr-graceful-shutdown-seconds", -1, 86_400) ?? -1;
	const appId = readAppId(flags);
	return {
		appId,
		// daprd's own default, which the injector passes on, is 0: no app.
		appPort: appPort === 0 ? undefined : appPort,
		appProtocol: readAppProtocol(flags),
		appChannelAddress: readHost(flags, "app-channel-address"),
		appMaxConcurrency: concurrency > 0 ? concurrency : undefined,
		appProbeTimeoutMs: flags.durationMs("app-binding-options-timeout") || 3_000,
		appHealthCheck: readAppHealthCheck(flags),
		resourcesPaths: readResourcesPaths(flags),
		hotReload: flags.boolean("hot-reload") ?? true,
		reconcileIntervalMs: flags.durationMs("hot-reload-reconcile-interval") || 60_000,
		httpPort,
		// One that nobody chose makes way.
		grpcPort: grpcPort ?? ([appPort, httpPort].includes(DEFAULT_GRPC_PORT) ? 0 : undefined),
		socketPaths: socketFolder ? socketPathsIn(socketFolder, appId) : undefined,
		listenAddresses: flags.list("dapr-listen-addresses"),
		allowUnauthenticated: flags.boolean("allow-unauthenticated") ?? false,
		apiLogging: flags.boolean("enable-api-logging") ?? false,
		allowedHosts: flags.list("allowed-hosts"),
		allowedOrigins: flags.list("allowed-origins"),
		metrics: readMetrics(flags),
		maxBodySize: readMaxBodySize(flags),
		maxHeaderSize: readMaxHeaderSize(flags),
		gracePeriodMs: (graceSeconds < 0 ? 5 : graceSeconds) * 1_000,
		blockShutdownMs: flags.durationMs("dapr-block-shutdown-duration") ?? 0,
		logLevel: flags.choice<LogLevel>("log-level", ["debug", "info", "warn", "error", "fatal"], "info"),
		logAsJson: flags.boolean("log-as-json") ?? false,
		logFile: flags.text("log-file") || undefined,
		ignoredFlags: RUN_FLAGS.filter((flag) => flag.ignored === "later" && flags.has(flag.name)).map((flag) => flag.name),
		command: program === undefined ? undefined : [program, ...programArguments],
	};
}

/** No two of them may be the same; 0 is none. */
function checkPorts(flags: FlagValues, ports: Readonly<Record<string, number | undefined>>): void {
	const chosen = Object.entries(ports).filter(([, port]) => port !== undefined && port !== 0);
	for (const [index, [name, port]] of chosen.entries()) {
		const other = chosen.slice(index + 1).find(([, taken]) => taken === port);
		if (other !== undefined)
			flags.problems.push(flagError(name, `--${name} ${port} is also --${other[0]}: they must differ`));
	}
}

/** daprd's names. */
function socketPathsIn(folder: string, appId: string) {
	return { http: join(folder, `dapr-${appId}-http.socket`), grpc: join(folder, `dapr-${appId}-grpc.socket`) };
}

function readAppId(flags: FlagValues): string {
	const appId = flags.text("app-id") ?? "";
	if (appId === "") flags.problems.push(flagError("app-id", "--app-id is missing: --app-id ID"));
	else if (appId.includes(".")) flags.problem("app-id", "a name without a dot");
	return appId;
}

function readAppProtocol(flags: FlagValues): AppProtocol {
	const given = flags.text("app-protocol")?.toLowerCase() || "http";
	const protocol = APP_PROTOCOLS.find((known) => known === given);
	if (protocol === undefined) flags.problem("app-protocol", APP_PROTOCOLS.join(", "));
	if (flags.boolean("app-ssl") !== true) return protocol ?? "http";
	if (protocol === "h2c") {
		flags.problems.push(flagError("app-ssl", "--app-ssl: h2c is HTTP/2 without TLS; expected --app-protocol https"));
	}
	return protocol === "grpc" || protocol === "grpcs" ? "grpcs" : "https";
}

/** The host without brackets, as sockets take it. */
function readHost(flags: FlagValues, name: string): string {
	const host = (flags.text(name) || "127.0.0.1").replace(/^\[(.*)\]$/, "$1");
	const isIpv6 = isIP(host) === 6;
	if (!(isIpv6 || /^[\w.-]+$/.test(host)) || !URL.canParse(`http://${isIpv6 ? `[${host}]` : host}`)) {
		flags.problem(name, "a host name or an IP address, without scheme and port");
	}
	return host;
}

function readMetrics(flags: FlagValues): MetricsListener | undefined {
	const port = flags.integer("metrics-port", 0, 65_535);
	const address = readHost(flags, "metrics-listen-address");
	return flags.boolean("enable-metrics") === false ? undefined : { port, address };
}

/** As in daprd: 0 and less mean the default, and the numbers must fit together also where there is no health check. */
function readAppHealthCheck(flags: FlagValues): AppHealthCheck | undefined {
	const positive = (name: string, maximum: number, fallback: number) => {
		const given = flags.integer(name, -1, maximum) ?? 0;
		return given > 0 ? given : fallback;
	};
	const path = flags.text("app-health-check-path") || "/healthz";
	const intervalMs = positive("app-health-probe-interval", 86_400, 5) * 1_000;
	const timeoutMs = positive("app-health-probe-timeout", 86_400_000, 500);
	const threshold = positive("app-health-threshold", 2 ** 31 - 1, 3);
	if (timeoutMs > intervalMs) {
		flags.problem("app-health-probe-timeout", `at most the interval between two probes, ${intervalMs} ms`);
	}
	if (flags.boolean("enable-app-health-check") !== true) return undefined;
	return { path: path.startsWith("/") ? path : `/${path}`, intervalMs, timeoutMs, threshold };
}

function readResourcesPaths(flags: FlagValues): readonly string[] {
	const paths = flags.all("resources-path");
	const usable = (paths.length > 0 ? paths : flags.all("components-path")).filter((path) => path !== "");
	if (usable.length === 0) {
		flags.problems.push(flagError("resources-path", "--resources-path is missing: --resources-path DIR"));
	}
	return usable;
}

/** As in daprd: the quantity wins over the megabytes, and a negative one means the default. */
function readMaxBodySize(flags: FlagValues): number {
	const bytes = flags.bytes("max-body-size");
	const megabytes = flags.integer("dapr-http-max-request-size", -1, 2_048);
	const size = bytes ?? (megabytes === undefined || megabytes < 0 ? -1 : megabytes * 2 ** 20);
	return size < 0 ? 4 * 2 ** 20 : size;
}

function readMaxHeaderSize(flags: FlagValues): number {
	const bytes = flags.bytes("read-buffer-size");
	const kilobytes = flags.integer("dapr-http-read-buffer-size", -1, 1_024);
	const size = bytes ?? (kilobytes === undefined || kilobytes < 0 ? -1 : kilobytes * 2 ** 10);
	return size <= 0 ? 8 * 2 ** 10 : size;
}
