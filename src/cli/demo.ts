import assert from "node:assert/strict";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { type Broker, startBroker } from "../broker/broker.js";
import { DemoApp } from "./demo-app.js";
import { COMMAND_TOPIC, DemoDevice, READING_TOPIC } from "./demo-device.js";
import { DemoOutput, type DemoStream } from "./demo-output.js";
import { type DescriptorStream, standardStream } from "./descriptor-stream.js";
import { FlagValues } from "./flag-values.js";
import { type Flag, readFlags } from "./flags.js";
import { isPortTaken } from "./port-taken.js";
import { createRunLog } from "./run-logger.js";
import { readRunRequest } from "./run-options.js";
import { type Environment, type OpenSidecar, openSidecar } from "./sidecar.js";
import { StopRequest } from "./stop-request.js";
import { readVersion } from "./version.js";

export const DEMO_HELP = `Example:
  mqtt3-binding demo

Starts an MQTT broker, a sidecar, a sample app and a sample device in one process, and shows each message on its way.

Flags:
  --messages N         end after N round trips, with exit code 0 (default: go on until Ctrl-C)
  --interval DURATION  how often the device publishes a reading (1s)
  --help               print this
`;

const DEMO_FLAGS: readonly Flag[] = [
	{ name: "messages", value: "N" },
	{ name: "interval", value: "DURATION" },
	{ name: "help" },
	{ name: "h" },
];

const COMPONENTS = fileURLToPath(new URL("../../demo/components", import.meta.url));
const COMPONENT_FILE = fileURLToPath(new URL("../../demo/components/boiler.yaml", import.meta.url));
const EXAMPLE_COMMAND = `{"operation":"create","metadata":{"topic":"${COMMAND_TOPIC}"},"data":{"heating":false}}`;
/** Where people expect things; any free port where one of these is taken. */
const USUAL_PORTS = { broker: 1883, app: 3000, sidecar: 3500 } as const;
/** What the output may have waiting for a reader that is slow. */
const MAX_WAITING_BYTES = 1024 * 1024;
const LAST_LINES_MS = 200;
/** Without a round trip for so long something is wrong. */
const SILENCE_MS = 10_000;

interface DemoSettings {
	/** Undefined: until somebody stops it. */
	readonly messages: number | undefined;
	readonly intervalMs: number;
}

/** Runs the demo until it is stopped or has what it was asked for. Resolves with the exit code; rejects with ConfigurationErrors. */
export async function demo(argv: readonly string[], env: Environment): Promise<number> {
	const settings = readSettings(argv);
	if (settings === "help") {
		process.stdout.write(DEMO_HELP);
		return 0;
	}
	const stop = new StopRequest();
	stop.listen(() => process.exit(1));
	const stdout = standardStream(process.stdout);
	stdout.onReaderGone = () => stop.ask("nobody reads what is shown");
	process.on("exit", () => stdout.flushSync(LAST_LINES_MS));
	return await new Demo(settings, new DemoOutput(boundedOutput(stdout, process.stdout)), stop).run(env);
}

/** What a reader that is slow has not taken is lost beyond a bound: the messages do not wait for it. */
function boundedOutput(stream: DescriptorStream, terminal: NodeJS.WriteStream): DemoStream {
	return {
		write(text) {
			if (stream.writableLength <= MAX_WAITING_BYTES) stream.write(text);
		},
		isTTY: terminal.isTTY,
		hasColors: () => terminal.hasColors(),
	};
}

function readSettings(argv: readonly string[]): DemoSettings | "help" {
	const { values, problems } = readFlags(argv, DEMO_FLAGS);
	const flags = new FlagValues(values);
	if (flags.boolean("help") === true || flags.boolean("h") === true) return "help";
	const messages = flags.integer("messages", 1, 1_000_000_000);
	const intervalMs = flags.durationMs("interval") || 1_000;
	const all = [...problems, ...flags.problems];
	if (all.length > 0) throw new AggregateError(all, "the command line is wrong");
	return { messages, intervalMs };
}

/** One run of the demo. */
class Demo {
	readonly #settings: DemoSettings;
	readonly #output: DemoOutput;
	readonly #stop: StopRequest;
	#roundTrips = 0;
	#failure: string | undefined;

	constructor(settings: DemoSettings, output: DemoOutput, stop: StopRequest) {
		this.#settings = settings;
		this.#output = output;
		this.#stop = stop;
	}

	async run(env: Environment): Promise<number> {
		const { readings, messages, stoppedAt } = await this.#play(env);
		const elapsedMs = Math.round(performance.now() - stoppedAt);
		this.#output.line();
		if (this.#failure !== undefined) this.#output.problem(this.#failure);
		this.#output.line(
			`${count(readings, "reading")} published, ${messages} at the app, ${count(this.#roundTrips, "command")} back at the device; stopped in ${elapsedMs} ms`,
			"bold",
		);
		return this.#failure === undefined ? 0 : 1;
	}

	/** Starts everything, waits for the end, stops everything, the last first. */
	async #play(env: Environment) {
		let sidecarUrl = "";
		await using broker = await onUsualPort(USUAL_PORTS.broker, (port) => startBroker({ port }));
		await using app = await onUsualPort(USUAL_PORTS.app, (port) => this.#startApp(port, () => sidecarUrl));
		await using sidecar = await onUsualPort(USUAL_PORTS.sidecar, (port) =>
			openDemoSidecar(port, app, broker, env, () => this.#stop.ask("the API's shutdown was called")),
		);
		sidecarUrl = sidecar.url;
		this.#introduce(broker, sidecar, app);
		await sidecar.start();
		const silence = setInterval(() => this.#onSilence(sidecar), SILENCE_MS);
		await using device = await this.#startDevice(broker, () => silence.refresh());
		await this.#stop.reason;
		clearInterval(silence);
		return { readings: device.readings, messages: app.messages, stoppedAt: performance.now() };
	}

	#startApp(port: number, sidecarUrl: () => string): Promise<DemoApp> {
		return DemoApp.start({
			port,
			sidecarUrl,
			onMessage: (route, payload) => this.#output.hop("broker → sidecar → app", `POST ${route}`, payload),
			onCommand: (payload) => this.#output.hop("app → sidecar → broker", COMMAND_TOPIC, payload),
			onProblem: (problem) => this.#output.problem(problem),
		});
	}

	#startDevice(broker: Broker, onRoundTrip: () => void): Promise<DemoDevice> {
		return DemoDevice.start({
			host: "127.0.0.1",
			port: broker.port,
			intervalMs: this.#settings.intervalMs,
			onReading: (payload) => this.#output.hop("device → broker", READING_TOPIC, payload),
			onCommand: (payload, roundTripMs) => {
				const remark = roundTripMs === undefined ? "" : `round trip ${roundTripMs.toFixed(1)} ms`;
				this.#output.hop("broker → device", COMMAND_TOPIC, payload, remark);
				if (roundTripMs === undefined) return;
				onRoundTrip();
				if (++this.#roundTrips === this.#settings.messages) this.#stop.ask("all messages are through");
			},
			onLost: (reason) => this.#fail(reason),
		});
	}

	#introduce(broker: Broker, sidecar: OpenSidecar, app: DemoApp): void {
		const output = this.#output;
		const file = shortest(COMPONENT_FILE);
		output.line(`mqtt3-binding ${readVersion()} demo: everything in this process`, "bold");
		output.line();
		output.row("device", "", `publishes ${READING_TOPIC}, obeys ${COMMAND_TOPIC}`);
		output.row("broker", broker.url, "MQTT 3.1.1, in memory");
		output.row("sidecar", sidecar.url, `Dapr's bindings API, reads ${file}`);
		output.row("app", app.url, "a thermostat: takes readings, answers with commands");
		output.line();
		output.line("Send a command yourself:");
		output.line(`  curl ${sidecar.url}/v1.0/bindings/boiler -d '${EXAMPLE_COMMAND}'`, "cyan");
		output.line(`Change ${file} and start again. Ctrl-C stops.`);
		output.line();
	}

	#onSilence(sidecar: OpenSidecar): void {
		const reasons = sidecar.runtime.health().reasons.map((reason) => reason.message);
		const why = reasons.length > 0 ? reasons.join("; ") : `does ${shortest(COMPONENT_FILE)} read ${READING_TOPIC}?`;
		const problem = `no round trip for ${SILENCE_MS / 1_000} seconds: ${why}`;
		if (this.#settings.messages === undefined) this.#output.problem(problem);
		else this.#fail(problem);
	}

	#fail(reason: string): void {
		this.#failure ??= reason;
		this.#stop.ask(reason);
	}
}

/** The sidecar, made as `run` makes it from its command line. */
async function openDemoSidecar(
	port: number,
	app: DemoApp,
	broker: Broker,
	env: Environment,
	onShutdown: () => void,
): Promise<OpenSidecar> {
	const argv = ["--app-id", "demo", "--app-port", `${app.port}`, "--resources-path", COMPONENTS];
	const request = readRunRequest([
		...argv,
		"--dapr-http-port",
		`${port}`,
		// Nothing here speaks gRPC: any port will do.
		"--dapr-grpc-port",
		"0",
		"--log-level",
		"warn",
		"--enable-metrics=false",
	]);
	assert(request.kind === "run");
	const tokens = { DAPR_API_TOKEN: undefined, DAPR_API_TOKEN_FILE: undefined, APP_API_TOKEN: undefined };
	return await openSidecar({
		options: request.options,
		env: { ...env, ...tokens, DEMO_BROKER_URL: broker.url },
		cwd: process.cwd(),
		logger: createRunLog(request.options, standardStream(process.stderr)).logger,
		onShutdown,
	});
}

/** Tries the port that people expect, and takes any free one if it is taken. */
async function onUsualPort<T>(port: number, start: (port: number) => Promise<T>): Promise<T> {
	try {
		return await start(port);
	} catch (error) {
		if (!isPortTaken(error)) throw error;
		return await start(0);
	}
}

/** A path as it is shorter to write: from here, or in full. */
function shortest(path: string): string {
	const fromHere = relative(process.cwd(), path);
	return fromHere.length < path.length ? fromHere : path;
}

function count(number: number, noun: string): string {
	return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
