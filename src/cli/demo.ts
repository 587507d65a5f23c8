import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { type Broker, startBroker } from "../broker/broker.js";
import { DemoApp } from "./demo-app.js";
import { COMMAND_TOPIC, DemoDevice, READING_TOPIC } from "./demo-device.js";
import { DemoOutput, type DemoStream } from "./demo-output.js";
import { FlagValues } from "./flag-values.js";
import { type Flag, readFlags } from "./flags.js";
import { readRunRequest } from "./run-options.js";
import { openSidecar, type OpenSidecar } from "./sidecar.js";
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
/** Where people expect things; any free port where one of these is taken. */
const USUAL_PORTS = { broker: 1883, app: 3000, sidecar: 3500 } as const;
/** Without a round trip for so long something is wrong. */
const SILENCE_MS = 15_000;

interface DemoSettings {
	/** Undefined: until somebody stops it. */
	readonly messages: number | undefined;
	readonly intervalMs: number;
}

/** Runs the demo until it is stopped or has what it was asked for. Resolves with the exit code; rejects with ConfigurationErrors. */
export async function demo(
	argv: readonly string[],
	env: Readonly<Record<string, string | undefined>>,
	stream: DemoStream,
): Promise<number> {
	const settings = readSettings(argv);
	if (settings === "help") {
		stream.write(DEMO_HELP);
		return 0;
	}
	const stop = new StopRequest();
	stop.listen(() => process.exit(1));
	return await new Demo(settings, new DemoOutput(stream), stop).run(env);
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
	readonly #closers: (() => Promise<unknown>)[] = [];
	#roundTrips = 0;
	#failure: string | undefined;

	constructor(settings: DemoSettings, output: DemoOutput, stop: StopRequest) {
		this.#settings = settings;
		this.#output = output;
		this.#stop = stop;
	}

	async run(env: Readonly<Record<string, string | undefined>>): Promise<number> {
		try {
			const broker = await this.#keep(onUsualPort(USUAL_PORTS.broker, (port) => startBroker({ port })), (it) => it.close());
			let sidecar: OpenSidecar | undefined;
			const app = await this.#keep(
				onUsualPort(USUAL_PORTS.app, (port) => this.#startApp(port, () => sidecar?.url ?? "")),
				(it) => it.stop(),
			);
			sidecar = await this.#keep(
				onUsualPort(USUAL_PORTS.sidecar, (port) => openSidecarFor(app, broker, port, env)),
				(it) => it.stop(),
			);
			this.#introduce(broker, sidecar, app);
			sidecar.start();
			const device = await this.#keep(this.#startDevice(broker), (it) => it.stop());
			const watchdog = setInterval(() => this.#complain(sidecar), SILENCE_MS);
			this.#onRoundTrip = () => watchdog.refresh();
			await this.#stop.reason;
			clearInterval(watchdog);
			return await this.#end(app, device);
		} finally {
			await this.#closeAll();
		}
	}
}
