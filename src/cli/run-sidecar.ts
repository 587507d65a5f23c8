import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "../diagnostics/logger.js";
import { type AppOutput, ChildApp } from "./child-app.js";
import { type DescriptorStream, standardStream } from "./descriptor-stream.js";
import { createRunLog, type RunLog } from "./run-logger.js";
import type { RunOptions } from "./run-options.js";
import { type Environment, type OpenSidecar, openSidecar } from "./sidecar.js";
import { StopRequest } from "./stop-request.js";
import { EXIT_UNFINISHED, watchProcess } from "./watch-process.js";

/** What is left to be said has so long, on each stream, when the process ends. */
const LAST_LINES_MS = 200;
/** The answer to a forced shutdown leaves before the process does. */
const FORCED_AFTER_MS = 100;

/** Runs one sidecar, and the app if there is a command. Resolves with the exit code; rejects with what keeps it from starting. */
export async function runSidecar(options: RunOptions, env: Environment): Promise<number> {
	return await new Run(options, env).toTheEnd();
}

/** One sidecar from its start to its end, with the app that it started, if any. */
class Run {
	readonly #options: RunOptions;
	readonly #env: Environment;
	readonly #stdout: DescriptorStream = standardStream(process.stdout);
	readonly #stderr: DescriptorStream = standardStream(process.stderr);
	readonly #log: RunLog;
	/** Lines of the app that nobody read. */
	#appLinesLost = 0;
	readonly #stop = new StopRequest();
	#sidecar: OpenSidecar | undefined;
	#app: ChildApp | undefined;
	/** Set when it was the app that ended the run. */
	#appExitCode: number | undefined;

	constructor(options: RunOptions, env: Environment) {
		this.#options = options;
		this.#env = env;
		this.#log = createRunLog(options, this.#stdout);
	}

	get #logger(): Logger {
		return this.#log.logger;
	}

	/** Resolves with the exit code; rejects when it can't be started. */
	async toTheEnd(): Promise<number> {
		const onExit = () => {
			this.#app?.kill();
			this.#log.flush();
			for (const stream of [this.#stdout, this.#stderr]) stream.flushSync(LAST_LINES_MS);
		};
		watchProcess(this.#stop, this.#logger, onExit, () => this.#reload());
		const sidecar = await this.#open();
		this.#sidecar = sidecar;
		if (sidecar.metricsUrl !== undefined) this.#logger.info(`metrics on ${sidecar.metricsUrl}`);
		this.#logger.info(`gRPC on ${sidecar.grpcTarget}`);
		this.#logger.info(`listening on ${sidecar.url}`);
		try {
			await sidecar.start();
			this.#app = await this.#startApp(sidecar);
		} catch (error) {
			await sidecar.close();
			throw error;
		}
		void this.#app?.ended.then((end) => {
			// An app that ends while we stop does what it was asked to.
			if (this.#stop.ask(`the app ended with ${end.description}`)) this.#appExitCode = end.exitCode;
		});
		this.#logger.info(`stopping: ${await this.#stop.reason}`);
		const finished = await this.#close(sidecar);
		this.#logger.info("stopped");
		return this.#appExitCode ?? (finished ? 0 : EXIT_UNFINISHED);
	}

	#reload(): void {
		this.#logger.info("SIGHUP: looking for what has changed");
		this.#sidecar?.reload().catch((error: unknown) => {
			this.#logger.warn(`nothing is reloaded: ${error instanceof Error ? error.message : error}`);
		});
	}

	async #open(): Promise<OpenSidecar> {
		const { ignoredFlags } = this.#options;
		if (ignoredFlags.length > 0) {
			const names = ignoredFlags.map((name) => `--${name}`).join(", ");
			this.#logger.info(`without effect in this version: ${names}`);
		}
		return await openSidecar({
			options: this.#options,
			env: this.#env,
			cwd: process.cwd(),
			logger: this.#logger,
			logLinesDropped: () => this.#log.linesDropped + this.#appLinesLost,
			onShutdown: (force) => this.#onShutdown(force),
		});
	}

	#startApp(sidecar: OpenSidecar): Promise<ChildApp> | undefined {
		const { command } = this.#options;
		if (command === undefined) return undefined;
		const env = appEnvironment(this.#env, this.#options, sidecar);
		return ChildApp.start({
			command,
			env,
			stdout: this.#appOutput(this.#stdout),
			stderr: this.#appOutput(this.#stderr),
		});
	}

	#appOutput(stream: DescriptorStream): AppOutput {
		let unsaid = 0;
		stream.on("drain", () => {
			if (unsaid === 0) return;
			this.#logger.error(`${unsaid} lines of the app's output were lost before this one: nobody read them`, {
				code: "app-lines-lost",
				count: unsaid,
			});
			unsaid = 0;
		});
		return {
			stream,
			onLost: (lines) => {
				this.#appLinesLost += lines;
				unsaid += lines;
			},
		};
	}

	/** The graceful stop. False when handlers were left running. */
	async #close(sidecar: OpenSidecar): Promise<boolean> {
		const drained = sidecar.drain();
		// Reading has ended; the API stays for an app that has something left to send, as long as the app is there.
		const block = delay(this.#options.blockShutdownMs, undefined, { ref: false });
		await Promise.race([block, sidecar.runtime.untilAppGone(), this.#app?.ended ?? block]);
		const finished = await drained;
		if (!finished) this.#logger.warn("the grace period ended with deliveries still at the app; the broker keeps them");
		const stopped = await this.#app?.stop(this.#options.gracePeriodMs);
		if (stopped === false) this.#logger.warn("the app did not end within the grace period and was killed");
		await sidecar.close();
		return finished;
	}

	#onShutdown(force: boolean): void {
		if (force) setTimeout(() => process.exit(EXIT_UNFINISHED), FORCED_AFTER_MS);
		this.#stop.ask("the API's shutdown was called");
	}
}

/** What an app finds in its environment, as with `dapr run`. */
export function appEnvironment(
	env: Environment,
	options: RunOptions,
	{ httpPort, grpcPort, metricsPort }: Pick<OpenSidecar, "httpPort" | "grpcPort" | "metricsPort">,
): Environment {
	const { appId, appPort, appProtocol, appChannelAddress } = options;
	return {
		...env,
		APP_ID: appId,
		...(appPort !== undefined && { APP_PORT: String(appPort) }),
		APP_PROTOCOL: appProtocol,
		APP_CHANNEL_ADDRESS: appChannelAddress,
		...(httpPort !== undefined && { DAPR_HTTP_PORT: String(httpPort) }),
		...(grpcPort !== undefined && { DAPR_GRPC_PORT: String(grpcPort) }),
		...(metricsPort !== undefined && { DAPR_METRICS_PORT: String(metricsPort) }),
	};
}
