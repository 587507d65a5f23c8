import { mkdir } from "node:fs/promises";
import { type MetricsServer, startMetricsServer } from "../api/metrics-server.js";
import type { Report } from "../bindings/binding.js";
import { type Measured, Metrics } from "../diagnostics/metrics.js";
import { reportLogger } from "../diagnostics/report-logger.js";
import { ConfigurationError } from "../errors.js";
import { Memory } from "../pluggable/memory.js";
import { PluggableServer } from "../pluggable/pluggable-server.js";
import { type ComponentOptions, componentHelp, readComponentOptions } from "./component-options.js";
import { type DescriptorStream, standardStream } from "./descriptor-stream.js";
import { createRunLog, type RunLog } from "./run-logger.js";
import type { Environment } from "./sidecar.js";
import { StopRequest } from "./stop-request.js";
import { readVersion } from "./version.js";
import { EXIT_UNFINISHED, watchProcess } from "./watch-process.js";

const LAST_LINES_MS = 200;
/** For whom the process says who it is in its log: it serves any number of apps. */
const LOG_NAME = "mqtt3-binding";

/** The command `component`. Resolves with the exit code; rejects with the problems of flags and folders. */
export async function component(argv: readonly string[], env: Environment): Promise<number> {
	const options = readComponentOptions(argv, env);
	if (options === "help") {
		process.stdout.write(componentHelp());
		return 0;
	}
	if (process.platform === "win32") {
		throw new ConfigurationError(
			"component: daprd has no pluggable components on Windows; run mqtt3-binding run there",
		);
	}
	return await new ComponentRun(options).toTheEnd();
}

/** One pluggable component from its start to its end. */
class ComponentRun {
	readonly #options: ComponentOptions;
	readonly #stdout: DescriptorStream = standardStream(process.stdout);
	readonly #log: RunLog;
	readonly #metrics: Metrics | undefined;
	readonly #stop = new StopRequest();

	constructor(options: ComponentOptions) {
		this.#options = options;
		this.#log = createRunLog({ ...options, appId: LOG_NAME }, this.#stdout);
		this.#metrics =
			options.metrics && new Metrics({ appId: LOG_NAME, namespace: "", logLinesDropped: () => this.#log.linesDropped });
	}

	async toTheEnd(): Promise<number> {
		const { logger } = this.#log;
		watchProcess(this.#stop, logger, () => {
			this.#log.flush();
			this.#stdout.flushSync(LAST_LINES_MS);
		});
		const { folder, isDefaultFolder, stateDir } = this.#options;
		if (isDefaultFolder) await mkdir(folder, { recursive: true });
		const log = reportLogger(logger);
		const onReport = (name: string | undefined, report: Report) => {
			this.#metrics?.report(name, report);
			log(name, report);
		};
		const memory = stateDir === undefined ? undefined : new Memory(stateDir, (report) => onReport(undefined, report));
		const server = this.#createServer(memory, onReport);
		const metricsServer = await this.#serveMetrics(server);
		try {
			const files = await server.listen();
			this.#introduce(files, memory);
		} catch (error) {
			await metricsServer?.close();
			throw error;
		}
		logger.info(`stopping: ${await this.#stop.reason}`);
		const finished = await this.#close(server);
		await metricsServer?.close();
		this.#metrics?.[Symbol.dispose]();
		logger.info("stopped");
		return finished ? 0 : EXIT_UNFINISHED;
	}

	#createServer(
		memory: Memory | undefined,
		onReport: (name: string | undefined, report: Report) => void,
	): PluggableServer {
		const { folder, names, socketMode, socketGid } = this.#options;
		return new PluggableServer({
			folder,
			names,
			socketMode,
			socketGid,
			memory,
			onReport,
			onBug: (error) => this.#log.logger.error("a call of daprd could not be answered", { error }),
		});
	}

	#introduce(files: readonly string[], memory: Memory | undefined): void {
		const { logger } = this.#log;
		logger.info(`mqtt3-binding ${readVersion()} is a pluggable component`);
		for (const [index, file] of files.entries()) {
			logger.info(`daprd finds it as type bindings.${this.#options.names[index]} at ${file}`);
		}
		if ((this.#options.socketMode & 0o002) !== 0) {
			logger.warn("--socket-mode: whoever can see the socket file may use it: every user of this machine", {
				code: "socket-file",
			});
		}
		for (const name of memory?.names("input") ?? []) {
			logger.warn(
				`component ${JSON.stringify(name)} was read before this process started; daprd does not read again by itself: restart daprd, or change the component's file`,
				{ code: "input-needs-daprd", component: name },
			);
		}
	}

	async #serveMetrics(server: PluggableServer): Promise<MetricsServer | undefined> {
		const { metrics: listener } = this.#options;
		const metrics = this.#metrics;
		if (listener === undefined || metrics === undefined) return undefined;
		const started = await startMetricsServer({
			...listener,
			allowedHosts: [],
			scrape: () => metrics.scrape(measured(server)),
			onError: (error) => this.#log.logger.error("the metrics could not be read", { error }),
		});
		this.#log.logger.info(`metrics on ${started.url}`);
		return started;
	}

	/** The graceful stop. False when events were left without an answer. */
	async #close(server: PluggableServer): Promise<boolean> {
		const { gracePeriodMs } = this.#options;
		const grace = new AbortController();
		const timer = gracePeriodMs > 0 ? setTimeout(() => grace.abort(), gracePeriodMs) : undefined;
		const finished = await server.drain(grace.signal);
		clearTimeout(timer);
		if (!finished) {
			this.#log.logger.warn("the grace period ended with events that daprd had not answered; the broker keeps them");
		}
		await server.close();
		return finished;
	}
}

/** The components as the metrics see them. */
function measured({ instances }: PluggableServer): Measured {
	const hosted = instances.all.flatMap(({ name, bindings }) => bindings.map(({ binding }) => ({ name, binding })));
	const reasons = hosted.flatMap(({ name, binding }) =>
		binding.health().map((reason) => ({ ...reason, component: name })),
	);
	return {
		components: hosted.map(({ name }) => ({ name, type: "bindings.mqtt3", version: "v1", capabilities: [] })),
		appState: undefined,
		health: () => ({
			ready: !reasons.some(({ blocking }) => blocking),
			outboundReady: true,
			started: true,
			reasons,
		}),
		statistics: () => hosted.map(({ name, binding }) => ({ component: name, statistics: binding.statistics() })),
	};
}
