import type { Flag } from "./flags.js";

/** Every flag of `run`: daprd's, and a few of ours. In the order of the help. */
export const RUN_FLAGS: readonly Flag[] = [
	{ name: "app-id", value: "ID", help: "name of the app (required)" },
	{ name: "app-port", value: "PORT", help: "port the app listens on; without it nothing is read from brokers" },
	{ name: "app-protocol", value: "PROTOCOL", help: "what the app speaks: http, https, h2c, grpc or grpcs (http)" },
	{ name: "app-channel-address", value: "HOST", help: "where the app listens (127.0.0.1)" },
	{ name: "app-max-concurrency", value: "N", help: "requests at the app at once (-1: no limit)" },
	{ name: "app-binding-options-timeout", value: "DURATION", help: "how long to wait for the OPTIONS probe (3s)" },
	{ name: "enable-app-health-check", help: "hand messages over only while the app says that it is well" },
	{ name: "app-health-check-path", value: "PATH", help: "what a GET asks the app for; 2xx: it is well (/healthz)" },
	{ name: "app-health-probe-interval", value: "SECONDS", help: "how often the app is asked (5)" },
	{ name: "app-health-probe-timeout", value: "MS", help: "how long it may take to answer, at most the interval (500)" },
	{ name: "app-health-threshold", value: "N", help: "so many failures in a row make it unhealthy (3)" },
	{ name: "resources-path", value: "DIR", help: "folder with component YAML; may be repeated" },
	{ name: "hot-reload", help: "take up changed components, secrets and certificates while it runs (true)" },
	{
		name: "hot-reload-reconcile-interval",
		value: "DURATION",
		help: "look at them so often, whatever the system tells (1m)",
	},
	{ name: "dapr-http-port", value: "PORT", help: "port of the HTTP API (3500; 0: any free one)" },
	{
		name: "dapr-grpc-port",
		value: "PORT",
		help: "port of the gRPC API (50001, or a free one if that is taken; 0: a free one)",
	},
	{ name: "dapr-listen-addresses", value: "LIST", help: "addresses of both APIs (127.0.0.1,[::1])" },
	{
		name: "unix-domain-socket",
		value: "DIR",
		help: "serve the APIs on DIR/dapr-<app-id>-{http,grpc}.socket, not on ports",
	},
	{ name: "allow-unauthenticated", help: "listen on other addresses without DAPR_API_TOKEN" },
	{ name: "allowed-hosts", value: "LIST", help: "host names that callers may use besides localhost and IP addresses" },
	{ name: "allowed-origins", value: "LIST", help: "web pages that may call the API (none)" },
	{
		name: "metrics-port",
		value: "PORT",
		help: "port of the metrics (9090, or a free one where that is taken; 0: a free one)",
	},
	{ name: "metrics-listen-address", value: "HOST", help: "address of the metrics (127.0.0.1)" },
	{ name: "enable-metrics", help: "serve metrics; --enable-metrics=false: do not (true)" },
	{ name: "max-body-size", value: "SIZE", help: "largest request body (4Mi)" },
	{ name: "read-buffer-size", value: "SIZE", help: "largest request header (8Ki)" },
	{ name: "dapr-graceful-shutdown-seconds", value: "N", help: "how long a stop waits for handlers (5; 0: no limit)" },
	{
		name: "dapr-block-shutdown-duration",
		value: "DURATION",
		help: "keep the API up so long after a stop began, while the app is there",
	},
	{ name: "log-level", value: "LEVEL", help: "debug, info, warn, error or fatal (info)" },
	{ name: "log-as-json", help: "one JSON object a line" },
	{ name: "log-file", value: "FILE", help: "append the log to a file instead of standard output" },
	{ name: "enable-api-logging", help: "log each call of the APIs" },
	{ name: "wait", help: "wait until a sidecar on --dapr-http-port is up, at most a minute, then end" },
	{ name: "version", help: "print the version" },
	{ name: "build-info", help: "print version, Node and platform" },
	{ name: "help", help: "print this" },

	{ name: "h" },
	{ name: "components-path", value: "DIR" },
	{ name: "app-ssl" },
	{ name: "dapr-http-max-request-size", value: "MB" },
	{ name: "dapr-http-read-buffer-size", value: "KB" },
	{ name: "enable-mtls" },

	{ name: "config", value: "FILE", ignored: "later" },
	{ name: "dapr-public-port", value: "PORT", ignored: "later" },
	{ name: "dapr-public-listen-address", value: "HOST", ignored: "later" },
	{ name: "disable-builtin-k8s-secret-store", ignored: "later" },
	{ name: "disable-init-endpoints", value: "LIST", ignored: "later" },
	{ name: "mode", value: "MODE", ignored: "later" },

	{ name: "actors-disseminate-timeout", value: "DURATION", ignored: "daprd" },
	{ name: "actors-service", value: "ADDRESS", ignored: "daprd" },
	{ name: "control-plane-address", value: "ADDRESS", ignored: "daprd" },
	{ name: "control-plane-namespace", value: "NAME", ignored: "daprd" },
	{ name: "control-plane-trust-domain", value: "NAME", ignored: "daprd" },
	{ name: "dapr-internal-grpc-listen-address", value: "HOST", ignored: "daprd" },
	{ name: "dapr-internal-grpc-port", value: "PORT", ignored: "daprd" },
	{ name: "enable-profiling", ignored: "daprd" },
	{ name: "placement-host-address", value: "ADDRESS", ignored: "daprd" },
	{ name: "profile-port", value: "PORT", ignored: "daprd" },
	{ name: "reminders-service", value: "ADDRESS", ignored: "daprd" },
	{ name: "scheduler-host-address", value: "ADDRESS", ignored: "daprd" },
	{ name: "scheduler-job-streams", value: "N", ignored: "daprd" },
	{ name: "sentry-address", value: "ADDRESS", ignored: "daprd" },
	{ name: "sentry-request-jwt-audiences", value: "LIST", ignored: "daprd" },
];

/** `run --help`. */
export function runHelp(): string {
	const rows = RUN_FLAGS.filter((flag) => flag.help !== undefined).map(
		(flag) => [flag.value === undefined ? `--${flag.name}` : `--${flag.name} ${flag.value}`, flag.help!] as const,
	);
	const width = Math.max(...rows.map(([left]) => left.length));
	return `Example:
  mqtt3-binding run --app-id shop --app-port 3000 --resources-path ./components -- node app.js

Reads Dapr component files, hands the messages of their brokers to the app on --app-port, and serves Dapr's
bindings API on http://127.0.0.1:3500 and over gRPC on 127.0.0.1:50001. With a command after -- it also starts
the app, and ends with it.

Flags:
${rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join("\n")}

daprd's other flags are accepted and have no effect in this version.

Environment: DAPR_API_TOKEN or DAPR_API_TOKEN_FILE (what callers of the API must send), APP_API_TOKEN (what the
app is sent), NAMESPACE, POD_NAME, DAPR_ENV_KEYS (what envRef may read).
`;
}
