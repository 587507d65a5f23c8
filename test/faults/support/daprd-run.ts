import { type ServiceError, status } from "@grpc/grpc-js";
import { expect } from "vitest";
import type { ReadResponse } from "../../../src/gen/dapr/proto/components/v1/bindings.js";
import { type ComponentProcess, startComponent } from "../../support/component-process.js";
import { Daprd } from "../../support/daprd.js";
import { eventually } from "../../support/eventually.js";
import { type Mosquitto, type MosquittoOptions, startMosquitto } from "../../support/mosquitto.js";
import { ApiCaller, type Create, toldBy } from "./api-caller.js";
import { checkHistories, countFaults, type Minimum } from "./checker.js";
import { failureReport } from "./failure-report.js";
import { type FaultProxy, startFaultProxy } from "./fault-proxy.js";
import { disposeAll } from "./fault-run-parts.js";
import { type AppCall, type Histories, messageId } from "./histories.js";
import { NumberedPublisher } from "./numbered-publisher.js";
import { seededRandom } from "./seeded-random.js";
import { historyTime } from "./wire-history.js";

type Properties = Readonly<Record<string, string>>;

/** One attempt, and a message that it fails for is dropped: an attempt that is counted wrongly is a message lost. */
export const ONE_ATTEMPT: Properties = { backOffMaxRetries: "0", onRetriesExhausted: "drop" };

export interface DaprdRunOptions {
	readonly seed: number;
	/** Beside data that is kept. */
	readonly broker?: MosquittoOptions;
	/** More properties of the component, which reads `in/#` as `plugged`; a function gets the port of the proxy. */
	readonly properties?: Properties | ((proxyPort: number) => Promise<Properties>);
	/** More flags of the process. */
	readonly args?: readonly string[];
	/** How long the app takes for each event: at least, at most. Default 0 to 20 ms. */
	readonly delayMs?: readonly [number, number];
	/** What the app says to an event beside that it took it, which undefined stands for. */
	readonly app?: (id: string, event: ReadResponse) => string | undefined | Promise<string | undefined>;
}

/** Starts broker, proxy, component and daprd; resolves when the component has subscribed. */
export async function startDaprdRun(options: DaprdRunOptions): Promise<DaprdRun> {
	const parts: AsyncDisposable[] = [];
	const started = <Part extends AsyncDisposable>(part: Part): Part => {
		parts.unshift(part);
		return part;
	};
	try {
		const broker = started(await startMosquitto({ persistence: true, autosaveInterval: 1, ...options.broker }));
		const proxy = started(await startFaultProxy(broker.port, { random: seededRandom(options.seed + 1) }));
		const publisher = started(await NumberedPublisher.connect(broker.url, 4, 0));
		const component = started(await startComponent({ args: ["--metrics-port", "0", ...(options.args ?? [])] }));
		const { properties } = options;
		const given = typeof properties === "function" ? await properties(proxy.port) : properties;
		const run = new DaprdRun(options, { broker, proxy, publisher, component }, parts);
		run.properties = { ...run.properties, ...given };
		await run.startDaprd();
		return run;
	} catch (error) {
		await disposeAll(parts);
		throw error;
	}
}

interface Parts {
	readonly broker: Mosquitto;
	readonly proxy: FaultProxy;
	readonly publisher: NumberedPublisher;
	readonly component: ComponentProcess;
}

type Call = { -readonly [Key in keyof AppCall]: AppCall[Key] };

/** daprd and the component under attack, which writes down what happens: publisher → broker → proxy → component → daprd → app, and Invoke back. */
export class DaprdRun implements AsyncDisposable {
	readonly broker: Mosquitto;
	/** Between component and broker. */
	readonly proxy: FaultProxy;
	readonly publisher: NumberedPublisher;
	readonly component: ComponentProcess;
	/** Calls Invoke on the daprd that runs. */
	readonly caller: ApiCaller;
	/** What the component is initialized with; a test may change it before daprd is started or initializes again. */
	properties: Properties;
	readonly #options: DaprdRunOptions;
	readonly #parts: AsyncDisposable[];
	readonly #random: () => number;
	readonly #calls: Call[] = [];
	readonly #daprds: Daprd[] = [];
	readonly #faults: { readonly at: number; readonly what: string }[] = [];
	readonly #appLosses: number[] = [];
	readonly #stops: number[] = [];
	readonly #ends: number[] = [];

	constructor(options: DaprdRunOptions, { broker, proxy, publisher, component }: Parts, parts: AsyncDisposable[]) {
		this.broker = broker;
		this.proxy = proxy;
		this.publisher = publisher;
		this.component = component;
		this.properties = {
			url: proxy.url,
			topic: "in/#",
			consumerID: "plugged",
			keepAlive: "5s",
			publishTimeout: "3s",
		};
		this.#options = options;
		this.#parts = parts;
		this.#random = seededRandom(options.seed);
		this.caller = new ApiCaller(this.#create);
	}

	/** The one that was started last. */
	get daprd(): Daprd {
		const last = this.#daprds.at(-1);
		if (last === undefined) throw new Error("daprd was not started yet");
		return last;
	}

	/** Events that daprds got, in order, over all of them. */
	get events(): readonly ReadResponse[] {
		return this.#daprds.flatMap(({ events }) => events);
	}

	/** How often the app was called. */
	get calls(): number {
		return this.#calls.length;
	}

	/** Connections to the broker so far. */
	get connections(): number {
		return this.proxy.history.filter(({ event }) => event === "opened").length;
	}

	/** Starts a daprd, which takes the place of the one before; resolves when the component has subscribed for it. */
	async startDaprd(): Promise<void> {
		const { socket } = this.component;
		const { properties } = this;
		this.#daprds.push(await Daprd.start({ socket, properties, app: this.#app }));
		await this.daprd.ping("input");
	}

	/** `kill -9`. */
	killDaprd(): void {
		this.fault("daprd killed");
		this.#appLosses.push(historyTime());
		this.daprd.kill();
	}

	/** daprd stops reading. */
	async stopReading(): Promise<void> {
		const hasHeard = await this.daprd.stopReading();
		if (!hasHeard) this.#appLosses.push(historyTime());
	}

	/** A second Read while one is open: answers to the first one's events get nowhere any more. */
	readAgain(): void {
		this.fault("second Read");
		this.#appLosses.push(historyTime());
		this.daprd.read();
	}

	/** daprd's hot reload with other properties: the binding before stops as at any stop, and the next one takes its session over. */
	async reload(properties: Properties): Promise<void> {
		this.fault("component reloaded");
		await this.stopReading();
		this.properties = { ...this.properties, ...properties };
		const stoppedAt = historyTime();
		this.#stops.push(stoppedAt);
		this.#ends.push(stoppedAt);
		await this.daprd.init(this.properties);
		this.daprd.read();
	}

	/** `kill -9` to the component, and a start. */
	async restartComponent(): Promise<void> {
		this.fault("component killed");
		await this.component.kill();
		this.#ends.push(historyTime());
		await this.component.start();
	}

	/** Writes down a fault that the test itself injects. */
	fault(what: string): void {
		this.#faults.push({ at: historyTime(), what });
	}

	/** Ids that the app has accepted, each once. */
	get accepted(): ReadonlySet<string> {
		return new Set(this.#calls.filter(({ status }) => status === 200).map(({ id }) => id));
	}

	/** Waits until the app accepted so many different messages. */
	async waitForAccepted(count: number, timeoutMs = 15_000): Promise<void> {
		await eventually(() => expect(this.accepted.size).toBeGreaterThanOrEqual(count), { timeoutMs });
	}

	/** Waits until the app was called so many times. */
	async waitForCalls(count: number, timeoutMs = 15_000): Promise<void> {
		await eventually(() => expect(this.#calls.length).toBeGreaterThanOrEqual(count), { timeoutMs });
	}

	/** A figure of the component. */
	async metric(start: string): Promise<number> {
		const lines = (await this.component.metrics()).split("\n").filter((line) => line.startsWith(start));
		return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
	}

	/**
	 * Waits until everything that the broker acknowledged to the publisher was accepted, ends the component, and holds the histories against
	 * the invariants: throws with the witnesses, and where the histories are. Resolves with a summary.
	 */
	async verify(minimum: Minimum): Promise<string> {
		this.publisher.pause();
		const unaccepted = () => {
			const { accepted } = this;
			return this.publisher.records.filter(({ id }) => !accepted.has(id)).map(({ id }) => id);
		};
		await eventually(() => unaccepted().length === 0, { timeoutMs: 20_000, everyMs: 50 }).catch(() => {});
		await this.caller.stop();
		this.#stops.push(historyTime());
		await this.component.stop();
		this.#ends.push(historyTime());
		const histories = this.#histories();
		const violations = checkHistories(histories, minimum);
		const accepted = this.#calls.filter(({ status }) => status === 200);
		const messages = this.accepted.size;
		const created = histories.creates.filter(({ answer }) => answer === "success").length;
		const summary = `${messages} messages, ${created} of ${histories.creates.length} creates succeeded, ${countFaults(histories)} faults, ${accepted.length - messages} duplicates`;
		if (violations.length > 0) {
			const logs = { component: this.component.output, broker: this.broker.log };
			throw new Error(`${failureReport(violations, histories, logs)}\n${summary}`);
		}
		return summary;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.publisher.pause();
		void this.caller.stop();
		await disposeAll(this.#daprds);
		await disposeAll(this.#parts);
	}

	readonly #app = async (event: ReadResponse): Promise<string | undefined> => {
		const id = messageId(event.data.toString("latin1"));
		const call: Call = { id, topic: event.metadata.topic ?? "", at: historyTime() };
		this.#calls.push(call);
		const [least, most] = this.#options.delayMs ?? [0, 20];
		await new Promise((resolve) => setTimeout(resolve, least + (most - least) * this.#random()));
		const refusal = await this.#options.app?.(id, event);
		call.status = refusal === undefined ? 200 : 500;
		call.answeredAt = historyTime();
		return refusal;
	};

	readonly #create: Create = async (number) => {
		const request = { data: Buffer.from(String(number)), metadata: { topic: "out/x" } };
		try {
			await this.daprd.invoke(request);
			return "success";
		} catch (error) {
			const { code, details } = error as ServiceError;
			return toldBy(details) ?? (code === status.FAILED_PRECONDITION ? "not sent" : "none");
		}
	};

	#histories(): Histories {
		return {
			seed: this.#options.seed,
			published: this.publisher.records,
			wire: this.proxy.history,
			app: this.#calls,
			creates: this.caller.records,
			faults: this.#faults,
			appLosses: this.#appLosses,
			brokerKills: [],
			brokerDropped: 0,
			stops: this.#stops,
			ends: this.#ends,
			disposed: [],
			ackOrder: "arrival",
			ordering: "none",
		};
	}
}
