import { describe, expect, it } from "vitest";
import { RUN_FLAGS, runHelp } from "./run-flags.js";
import { type RunOptions, readRunRequest } from "./run-options.js";

function options(...argv: string[]): RunOptions {
	const request = readRunRequest(["--app-id", "shop", "--resources-path", "res", ...argv]);
	if (request.kind !== "run") throw new Error(`unexpected ${request.kind}`);
	return request.options;
}

function problems(...argv: string[]): readonly string[] {
	try {
		readRunRequest(argv);
	} catch (error) {
		if (error instanceof AggregateError) return error.errors.map((each: Error) => each.message);
		throw error;
	}
	return [];
}

describe("readRunRequest", () => {
	it("what is not said has daprd's default, but for the addresses", () => {
		expect(options()).toEqual({
			appId: "shop",
			appPort: undefined,
			appProtocol: "http",
			appChannelAddress: "127.0.0.1",
			appMaxConcurrency: undefined,
			appProbeTimeoutMs: 3_000,
			appHealthCheck: undefined,
			resourcesPaths: ["res"],
			hotReload: true,
			reconcileIntervalMs: 60_000,
			httpPort: 3_500,
			grpcPort: undefined,
			socketPaths: undefined,
			listenAddresses: [],
			allowUnauthenticated: false,
			apiLogging: false,
			allowedHosts: [],
			allowedOrigins: [],
			maxBodySize: 4 * 2 ** 20,
			maxHeaderSize: 8 * 2 ** 10,
			metrics: { port: undefined, address: "127.0.0.1" },
			gracePeriodMs: 5_000,
			blockShutdownMs: 0,
			logLevel: "info",
			logAsJson: false,
			logFile: undefined,
			ignoredFlags: [],
			command: undefined,
		});
	});

	it.each<[string[], Partial<RunOptions>]>([
		[["--app-port", "3000", "--app-protocol", "HTTPS"], { appPort: 3000, appProtocol: "https" }],
		[["--app-port", "0"], { appPort: undefined }],
		[["--app-ssl"], { appProtocol: "https" }],
		[["--app-protocol", "grpc"], { appProtocol: "grpc" }],
		[["--app-protocol", "GRPC", "--app-ssl"], { appProtocol: "grpcs" }],
		[["--app-protocol", "h2c"], { appProtocol: "h2c" }],
		[["--app-channel-address", "10.0.0.7"], { appChannelAddress: "10.0.0.7" }],
		[["--app-channel-address", "[::1]"], { appChannelAddress: "::1" }],
		[
			["--unix-domain-socket", "/run/x"],
			{ socketPaths: { http: "/run/x/dapr-shop-http.socket", grpc: "/run/x/dapr-shop-grpc.socket" } },
		],
		[["--unix-domain-socket", "/run/x", "--app-port", "3500", "--dapr-grpc-port", "3500"], { appPort: 3_500 }],
		[["--dapr-grpc-port", "50001"], { grpcPort: 50_001 }],
		[["--dapr-grpc-port", "0", "--dapr-http-port", "0"], { grpcPort: 0 }],
		[["--app-port", "50001"], { appPort: 50_001, grpcPort: 0 }],
		[["--dapr-http-port", "50001"], { httpPort: 50_001, grpcPort: 0 }],
		[["--app-max-concurrency", "8"], { appMaxConcurrency: 8 }],
		[["--app-max-concurrency=-1"], { appMaxConcurrency: undefined }],
		[["--app-binding-options-timeout", "500ms"], { appProbeTimeoutMs: 500 }],
		[
			["--enable-app-health-check"],
			{ appHealthCheck: { path: "/healthz", intervalMs: 5_000, timeoutMs: 500, threshold: 3 } },
		],
		[
			[
				"--enable-app-health-check",
				...["--app-health-check-path", "up?deep=1", "--app-health-probe-interval", "2"],
				...["--app-health-probe-timeout", "2000", "--app-health-threshold", "1"],
			],
			{ appHealthCheck: { path: "/up?deep=1", intervalMs: 2_000, timeoutMs: 2_000, threshold: 1 } },
		],
		[
			[
				"--enable-app-health-check",
				...["--app-health-check-path", "", "--app-health-probe-interval", "0"],
				...["--app-health-probe-timeout", "-1", "--app-health-threshold", "0"],
			],
			{ appHealthCheck: { path: "/healthz", intervalMs: 5_000, timeoutMs: 500, threshold: 3 } },
		],
		[["--enable-app-health-check=false", "--app-health-threshold", "1"], { appHealthCheck: undefined }],
		[["--resources-path", "b", "--components-path", "c"], { resourcesPaths: ["res", "b"] }],
		[["--dapr-listen-addresses", "[::1],127.0.0.1"], { listenAddresses: ["[::1]", "127.0.0.1"] }],
		[["--max-body-size", "16Mi"], { maxBodySize: 16 * 2 ** 20 }],
		[["--max-body-size", "-1"], { maxBodySize: 4 * 2 ** 20 }],
		[["--max-body-size", "0"], { maxBodySize: 0 }],
		[["--dapr-http-max-request-size", "8"], { maxBodySize: 8 * 2 ** 20 }],
		[["--dapr-http-max-request-size", "8", "--max-body-size", "1Mi"], { maxBodySize: 2 ** 20 }],
		[["--enable-api-logging"], { apiLogging: true }],
		[
			["--metrics-port", "0", "--metrics-listen-address", "[::1]", "--enable-metrics"],
			{ metrics: { port: 0, address: "::1" } },
		],
		[["--enable-metrics=false"], { metrics: undefined }],
		[["--read-buffer-size", "64Ki"], { maxHeaderSize: 64 * 2 ** 10 }],
		[["--dapr-http-read-buffer-size", "16"], { maxHeaderSize: 16 * 2 ** 10 }],
		[["--dapr-graceful-shutdown-seconds", "0"], { gracePeriodMs: 0 }],
		[["--dapr-graceful-shutdown-seconds", "-1"], { gracePeriodMs: 5_000 }],
		[["--dapr-block-shutdown-duration", "1m30s"], { blockShutdownMs: 90_000 }],
		[["--log-level", "DEBUG", "--log-as-json"], { logLevel: "debug", logAsJson: true }],
		[["--", "node", "app.js", "--wait"], { command: ["node", "app.js", "--wait"] }],
	])("%j", (argv, expected) => {
		expect(options(...argv)).toMatchObject(expected);
	});

	it.each([
		[["--app-id", "a.b", "--resources-path", "r"], '--app-id "a.b": expected a name without a dot'],
		[
			["--app-id", "a", "--resources-path", "r", "--app-port", "80000"],
			'--app-port "80000": expected a whole number from 0 to 65535',
		],
		[
			["--app-id", "a", "--resources-path", "r", "--app-port", "3e3"],
			'--app-port "3e3": expected a whole number from 0 to 65535',
		],
		[
			["--app-id", "a", "--resources-path", "r", "--app-port", "3500"],
			"--app-port 3500 is also --dapr-http-port: they must differ",
		],
		[
			["--app-id", "a", "--resources-path", "r", "--dapr-grpc-port", "3500"],
			"--dapr-grpc-port 3500 is also --dapr-http-port: they must differ",
		],
		[
			["--app-id", "a", "--resources-path", "r", "--app-port", "4000", "--dapr-grpc-port", "4000"],
			"--app-port 4000 is also --dapr-grpc-port: they must differ",
		],
		[
			["--app-id", "a", "--resources-path", "r", "--dapr-grpc-port", "65536"],
			'--dapr-grpc-port "65536": expected a whole number from 0 to 65535',
		],
		[
			["--app-id", "a", "--resources-path", "r", "--app-protocol", "ftp"],
			'--app-protocol "ftp": expected http, https, h2c, grpc, grpcs',
		],
		[
			["--app-id", "a", "--resources-path", "r", "--app-protocol", "h2c", "--app-ssl"],
			"--app-ssl: h2c is HTTP/2 without TLS; expected --app-protocol https",
		],
		[
			["--app-id", "a", "--resources-path", "r", "--log-level", "loud"],
			'--log-level "loud": expected debug, info, warn, error, fatal',
		],
		[["--app-id", "a", "--resources-path", "r", "--log-as-json=yes"], '--log-as-json "yes": expected true or false'],
		[
			["--app-id", "a", "--resources-path", "r", "--max-body-size", "4MB"],
			'--max-body-size "4MB": expected a size as 4Mi, 512Ki or 1G, at most 1Gi',
		],
		[
			["--app-id", "a", "--resources-path", "r", "--dapr-block-shutdown-duration", "soon"],
			'--dapr-block-shutdown-duration "soon": expected a duration as 5s, 1m30s or 250ms',
		],
		[
			["--app-id", "a", "--resources-path", "r", "--dapr-block-shutdown-duration", "597h"],
			'--dapr-block-shutdown-duration "597h": expected at most 596h',
		],
		...["http://app", "app:3000", "[app]:1", "fe80::1%eth0", "1.2.3.456"].map((host): [string[], string] => [
			["--app-id", "a", "--resources-path", "r", "--app-channel-address", host],
			`--app-channel-address "${host}": expected a host name or an IP address, without scheme and port`,
		]),
		[
			["--app-id", "a", "--resources-path", "r", "--enable-mtls=true"],
			"--enable-mtls: there is no mTLS between sidecars here; leave it out",
		],
		[
			["--app-id", "a", "--resources-path", "r", "--app-health-probe-timeout", "5001"],
			'--app-health-probe-timeout "5001": expected at most the interval between two probes, 5000 ms',
		],
		[
			["--app-id", "a", "--resources-path", "r", "--app-health-probe-interval", "5s"],
			'--app-health-probe-interval "5s": expected a whole number from -1 to 86400',
		],
		[["--app-id", "a", "--resources-path", "r", "--"], "no command after --"],
	])("%j is refused with the reason", (argv, problem) => {
		expect(problems(...argv)).toEqual([problem]);
	});

	it("--components-path is another name of --resources-path", () => {
		const request = readRunRequest(["--app-id", "shop", "--components-path", "c"]);
		expect(request).toMatchObject({ options: { resourcesPaths: ["c"] } });
	});

	it("a missing --app-id and --resources-path are named", () => {
		expect(problems()).toEqual([
			"--app-id is missing: --app-id ID",
			"--resources-path is missing: --resources-path DIR",
		]);
	});

	it("all problems are told at once", () => {
		expect(problems("--resources-path", "res", "--app-prot", "1", "--app-port", "x", "--log-level", "y")).toHaveLength(
			4,
		);
	});

	it("daprd's other flags are accepted; those of a coming version are named", () => {
		const ignored = RUN_FLAGS.filter((flag) => flag.ignored !== undefined);
		const argv = ignored.flatMap((flag) => (flag.value === undefined ? [`--${flag.name}`] : [`--${flag.name}`, "1"]));
		expect(options(...argv, "--enable-mtls=false").ignoredFlags).toEqual(
			ignored.filter((flag) => flag.ignored === "later").map((flag) => flag.name),
		);
	});

	it.each([
		["--help", "help"],
		["-h", "help"],
		["--version", "version"],
		["--build-info", "build-info"],
	])("%s needs nothing else", (flag, kind) => {
		expect(readRunRequest([flag])).toEqual({ kind });
	});

	it("--wait needs the port alone", () => {
		expect(readRunRequest(["--wait", "--dapr-http-port", "3501"])).toEqual({ kind: "wait", httpPort: 3501 });
	});
});

describe("runHelp", () => {
	it("begins with an example that is accepted, and fits a terminal", () => {
		const lines = runHelp().split("\n");
		expect(lines[0]).toBe("Example:");
		const argv = lines[1]!.trim().split(" ");
		expect(argv.slice(0, 2)).toEqual(["mqtt3-binding", "run"]);
		expect(readRunRequest(argv.slice(2)).kind).toBe("run");
		expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(120);
	});
});
