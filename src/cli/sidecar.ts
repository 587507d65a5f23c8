import { createGrpcEndpoint, type GrpcEndpoint } from "../api/grpc-endpoint.js";
import { createHttpServer } from "../api/http-server.js";
import { type MetricsServer, startMetricsServer } from "../api/metrics-server.js";
import { RequestBudget } from "../api/request-budget.js";
import { Sidecar } from "../api/sidecar.js";
import { renderReady } from "../diagnostics/health.js";
import type { Logger } from "../diagnostics/logger.js";
import { Metrics } from "../diagnostics/metrics.js";
import { reportLogger } from "../diagnostics/report-logger.js";
import type { AppChannel } from "../runtime/app-channel.js";
import { ComponentReloader } from "../runtime/component-reloader.js";
import { FileWatch } from "../runtime/file-watch.js";
import { Runtime, type RuntimeOptions } from "../runtime/runtime.js";
import { ComponentFiles } from "./component-files.js";
import { isPortTaken } from "./port-taken.js";
import { createRegistry } from "./registry.js";
import { DEFAULT_GRPC_PORT, type RunOptions } from "./run-options.js";
import { readVersion } from "./version.js";

/** daprd's. */
const DEFAULT_METRICS_PORT = 9_090;

/** What a process's environment is to this program. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface OpenSidecarOptions {
	readonly options: RunOptions;
	/** Tokens, secrets and placeholders come from here. */
	readonly env: Environment;
	readonly cwd: string;
	readonly logger: Logger;
	/** How many lines of the log were lost so far. Default: none. */
	readonly logLinesDropped?: () => number;
	/** Somebody asked for the end over the API. `force`: at once. */
	readonly onShutdown: (force: boolean) => void;
}

/** Where the API of a sidecar is. */
interface ServedApi {
	/** `http://127.0.0.1:3500`, with the real port; `unix:` and the path of a socket file. */
	readonly url: string;
	/** Absent with a socket file. */
	readonly httpPort: number | undefined;
	/** Of the gRPC API, as gRPC names it: `127.0.0.1:50001`, or `unix:` and the path of a socket file. */
	readonly grpcTarget: string;
	/** Absent with a socket file. */
	readonly grpcPort: number | undefined;
	/** `http://127.0.0.1:9090/metrics`. Absent without metrics. */
	readonly metricsUrl: string | undefined;
	readonly metricsPort: number | undefined;
	/** Closes the API, then the runtime. Idempotent. */
	close(): Promise<void>;
}

/** A sidecar that serves its API. Disposing it stops it gracefully. */
export interface OpenSidecar extends ServedApi, AsyncDisposable {
	readonly runtime: Runtime;
	/** Connects to the brokers, looks for the app, and watches the component files. */
	start(): Promise<void>;
	/** Takes up at once what has changed in the component files and in what they name. Rejects when it stops. */
	reload(): Promise<void>;
	/** First half of a graceful stop: nothing more goes to the app, the API still serves. False when handlers were left running. */
	drain(): Promise<boolean>;
	/** Second half: closes the API, then the connections to brokers and app. Idempotent. */
	close(): Promise<void>;
}

/**
 * Reads the components, checks them and serves the API; no broker is connected before `start()`.
 * Rejects with one or more ConfigurationErrors and SecretErrors, and leaves nothing open then.
 */
export async function openSidecar(given: OpenSidecarOptions): Promise<OpenSidecar> {
	const { options, env, logger } = given;
	const metrics = createMetrics(given);
	const log = reportLogger(logger);
	const registry = createRegistry(env, given.cwd);
	const files = new ComponentFiles({ options, env, registry, logger });
	const watch = createWatch(options, () => reloader.soon());
	await watch?.start();
	const first = await files.load();
	const onReport: RuntimeOptions["onReport"] & {} = (component, report) => {
		metrics?.report(component, report);
		log(component, report);
		reloader.reported(component, report);
	};
	const runtime = new Runtime({
		components: first.components,
		resiliency: first.resiliency,
		registry,
		appChannel: await createAppChannel(options, env),
		appHealth: options.appHealthCheck,
		gracePeriodMs: options.gracePeriodMs,
		onReport,
		meter: metrics?.meter,
	});
	const reloader = new ComponentReloader({
		runtime,
		load: () => files.load(),
		watch,
		resiliency: first.resiliency,
		onReport,
	});
	const problems = [...first.problems];
	await runtime.init().catch((error) => problems.push(error));
	try {
		if (problems.length > 0) throw new AggregateError(problems, "the components can't be used");
		const api = await serve(given, runtime, metrics);
		const close = async () => {
			reloader.close();
			await api.close();
		};
		return {
			...api,
			runtime,
			async start() {
				runtime.start();
				await reloader.start(first.secretFiles);
			},
			reload: () => reloader.now(),
			drain: () => runtime.drain(),
			close,
			async [Symbol.asyncDispose]() {
				await runtime.drain();
				await close();
			},
		};
	} catch (error) {
		metrics?.[Symbol.dispose]();
		reloader.close();
		await runtime.close();
		throw error;
	}
}

function createWatch(options: RunOptions, onChange: () => void): FileWatch | undefined {
	if (!options.hotReload) return undefined;
	return new FileWatch({ folders: options.resourcesPaths, intervalMs: options.reconcileIntervalMs, onChange });
}

function createMetrics({ options, env, logLinesDropped = () => 0 }: OpenSidecarOptions): Metrics | undefined {
	if (options.metrics === undefined) return undefined;
	return new Metrics({ appId: options.appId, namespace: env.NAMESPACE ?? "", logLinesDropped });
}

async function serve(given: OpenSidecarOptions, runtime: Runtime, metrics: Metrics | undefined): Promise<ServedApi> {
	const { options, env, logger, onShutdown } = given;
	const sidecar = new Sidecar({
		appId: options.appId,
		runtime,
		runtimeVersion: readVersion(),
		app: options.appPort === undefined ? undefined : describeApp(options, options.appPort),
		readiness: (detail) => renderReady(runtime.health(), { detail }),
		onShutdown,
	});
	const budget = new RequestBudget();
	const warnings = new Set<string>();
	const warn = (message: string) => {
		warnings.add(message);
		logger.warn(message);
	};
	const server = createHttpServer({
		sidecar,
		budget,
		port: options.httpPort,
		socketPath: options.socketPaths?.http,
		listenAddresses: options.listenAddresses,
		token: apiToken(env),
		allowUnauthenticated: options.allowUnauthenticated,
		allowedHosts: options.allowedHosts,
		allowedOrigins: options.allowedOrigins,
		maxBodySize: maxBodySize(options),
		maxHeaderSize: options.maxHeaderSize,
		onRequest: options.apiLogging
			? ({ method, path, status, elapsedMs }) =>
					logger.info("HTTP API called", { method, path, status, elapsedMs: rounded(elapsedMs) })
			: undefined,
		onError: (error) => logger.error("the HTTP API failed to answer a request", { error }),
		onWarning: warn,
	});
	const opened: { close(): Promise<void> }[] = [server];
	const [url = ""] = await server.listen();
	const closeAgain = async (error: unknown) => {
		await Promise.all(opened.map((each) => each.close()));
		throw error;
	};
	const grpc = await serveGrpc(given, sidecar, budget, warnings).catch(closeAgain);
	opened.push(grpc.endpoint);
	const metricsServer = await serveMetrics(given, runtime, metrics).catch(closeAgain);
	const close = async () => {
		await Promise.all([server.close(), grpc.endpoint.close()]);
		await runtime.close();
		await metricsServer?.close();
		metrics?.[Symbol.dispose]();
	};
	return {
		url,
		httpPort: options.socketPaths === undefined ? Number(new URL(url).port) : undefined,
		grpcTarget: grpc.target,
		grpcPort: options.socketPaths === undefined ? Number(/\d+$/.exec(grpc.target)?.[0]) : undefined,
		metricsUrl: metricsServer?.url,
		metricsPort: metricsServer?.port,
		close,
	};
}

/** The gRPC API, which listens, and where. */
async function serveGrpc(
	{ options, env, logger }: OpenSidecarOptions,
	sidecar: Sidecar,
	budget: RequestBudget,
	saidBefore: ReadonlySet<string>,
): Promise<{ readonly endpoint: GrpcEndpoint; readonly target: string }> {
	const start = async (port: number) => {
		const endpoint = createGrpcEndpoint({
			sidecar,
			budget,
			port,
			socketPath: options.socketPaths?.grpc,
			listenAddresses: options.listenAddresses,
			token: apiToken(env),
			allowUnauthenticated: options.allowUnauthenticated,
			maxBodySize: maxBodySize(options),
			onCall: options.apiLogging
				? ({ method, code, elapsedMs }) =>
						logger.info("gRPC API called", { method, code, elapsedMs: rounded(elapsedMs) })
				: undefined,
			onError: (error) => logger.error("the gRPC API failed to answer a call", { error }),
			// Of the folder that both share the HTTP API has said it.
			onWarning: (message) => void (saidBefore.has(message) || logger.warn(message)),
		});
		const [target = ""] = await endpoint.listen();
		return { endpoint, target };
	};
	return await onPort(start, options.grpcPort, DEFAULT_GRPC_PORT, (port) =>
		logger.warn(`gRPC API: port ${port} is in use, a free one is taken; --dapr-grpc-port chooses`),
	);
}

async function serveMetrics(
	{ options, logger }: OpenSidecarOptions,
	runtime: Runtime,
	metrics: Metrics | undefined,
): Promise<MetricsServer | undefined> {
	if (options.metrics === undefined || metrics === undefined) return undefined;
	const { address, port } = options.metrics;
	const start = (on: number) =>
		startMetricsServer({
			port: on,
			address,
			allowedHosts: options.allowedHosts,
			scrape: () => metrics.scrape(runtime),
			onError: (error) => logger.error("the metrics could not be read", { error }),
		});
	// Prometheus itself likes to live there.
	return await onPort(start, port, DEFAULT_METRICS_PORT, (taken) =>
		logger.warn(`metrics: port ${taken} is in use, a free one is taken; --metrics-port chooses`),
	);
}

/** Starts on the port that was chosen; where nobody chose one, on the usual one, or any that is free if that is taken. */
async function onPort<T>(
	start: (port: number) => Promise<T>,
	chosen: number | undefined,
	usual: number,
	onTaken: (port: number) => void,
): Promise<T> {
	if (chosen !== undefined) return await start(chosen);
	try {
		return await start(usual);
	} catch (error) {
		if (!isPortTaken(error)) throw error;
		onTaken(usual);
		return await start(0);
	}
}

function maxBodySize(options: RunOptions): number {
	return options.maxBodySize === 0 ? Number.POSITIVE_INFINITY : options.maxBodySize;
}

function rounded(ms: number): number {
	return Math.round(ms * 10) / 10;
}

/** Loads what the app's protocol needs, and nothing else. Rejects with ConfigurationError for a token that can't be sent. */
async function createAppChannel(options: RunOptions, env: Environment): Promise<AppChannel | undefined> {
	const { appPort, appProtocol: protocol } = options;
	if (appPort === undefined) return undefined;
	const common = {
		host: options.appChannelAddress,
		port: appPort,
		appToken: env.APP_API_TOKEN || undefined,
		maxConcurrency: options.appMaxConcurrency,
		optionsTimeoutMs: options.appProbeTimeoutMs,
		healthPath: options.appHealthCheck?.path,
		healthTimeoutMs: options.appHealthCheck?.timeoutMs,
	};
	switch (protocol) {
		case "grpc":
		case "grpcs":
			return (await import("../runtime/grpc-channel.js")).createGrpcChannel({ ...common, protocol });
		case "h2c":
			return (await import("../runtime/h2c-channel.js")).createH2cChannel(common);
		case "http":
		case "https":
			return (await import("../runtime/http-channel.js")).createHttpChannel({ ...common, protocol });
	}
}

function describeApp(options: RunOptions, port: number) {
	return {
		port,
		protocol: options.appProtocol,
		channelAddress: options.appChannelAddress,
		maxConcurrency: options.appMaxConcurrency,
		health: options.appHealthCheck,
	};
}

function apiToken(env: Environment) {
	if (env.DAPR_API_TOKEN) return { value: env.DAPR_API_TOKEN };
	return env.DAPR_API_TOKEN_FILE ? { file: env.DAPR_API_TOKEN_FILE } : undefined;
}
