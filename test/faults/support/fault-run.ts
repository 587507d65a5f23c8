import { component, untilReady } from "../../integration/sidecar/component.js";
import type { AppProcess } from "../../support/app-process.js";
import { eventually } from "../../support/eventually.js";
import { freePort } from "../../support/free-port.js";
import type { Mosquitto } from "../../support/mosquitto.js";
import { type SidecarOptions, type SidecarProcess, startSidecar } from "../../support/sidecar-process.js";
import { ApiCaller, createOverHttp } from "./api-caller.js";
import { checkHistories, countFaults, type Minimum } from "./checker.js";
import { failureReport } from "./failure-report.js";
import type { FaultProxy } from "./fault-proxy.js";
import { disposeAll, type FaultRunOptions, type FaultRunParts, startFaultRunParts } from "./fault-run-parts.js";
import { type Histories, messageId } from "./histories.js";
import type { NumberedPublisher } from "./numbered-publisher.js";
import { seededRandom } from "./seeded-random.js";
import { Supervisor } from "./supervisor.js";
import type { Violation } from "./violation.js";
import { historyTime } from "./wire-history.js";

/** A mosquitto saves every second; on a busy machine a little later. */
const SAVED_WITHIN_MS = 3_000;

export type { FaultRunOptions } from "./fault-run-parts.js";

/** What finish() found. */
export interface FaultRunResult {
	readonly histories: Histories;
	readonly violations: readonly Violation[];
	/** `312 messages, 40 creates, 9 faults, 3 duplicates`. */
	readonly summary: string;
}

/** Starts broker, proxies, app, sidecar and its supervisor. */
export async function startFaultRun(options: FaultRunOptions): Promise<FaultRun> {
	const parts = await startFaultRunParts(options);
	try {
		const run = new FaultRun(options, parts);
		options.before?.(run);
		await run.start();
		return run;
	} catch (error) {
		await disposeAll(parts.started);
		throw error;
	}
}

/** A whole installation under attack, which writes down what happens: publisher → broker → proxy → sidecar → proxy → app, and creates back. */
export class FaultRun implements AsyncDisposable {
	readonly broker: Mosquitto;
	readonly app: AppProcess;
	/** Between sidecar and broker. */
	readonly proxy: FaultProxy;
	/** Between sidecar and app. */
	readonly appProxy: FaultProxy;
	readonly publisher: NumberedPublisher;
	/** For the schedule: the seed gives the same numbers again. */
	readonly random: () => number;
	readonly #options: FaultRunOptions;
	readonly #parts: AsyncDisposable[];
	readonly #faults: { readonly at: number; readonly what: string }[] = [];
	readonly #appLosses: number[] = [];
	readonly #brokerKills: { readonly at: number; readonly savedAt: number }[] = [];
	readonly #stops: number[] = [];
	readonly #violations: Violation[] = [];
	#caller: ApiCaller | undefined;
	/** Of all sidecars; the last one serves. */
	readonly #supervisors: Supervisor[] = [];
	#isSettled = false;

	constructor(options: FaultRunOptions, { broker, app, proxy, appProxy, publisher, started }: FaultRunParts) {
		this.#options = options;
		this.broker = broker;
		this.app = app;
		this.proxy = proxy;
		this.appProxy = appProxy;
		this.publisher = publisher;
		this.random = seededRandom(options.seed);
		this.#parts = started;
	}

	get sidecar(): SidecarProcess {
		return this.#supervisor.sidecar;
	}

	/** Calls `create`. */
	get caller(): ApiCaller {
		if (this.#caller === undefined) throw new Error("the sidecar was not started yet");
		return this.#caller;
	}

	/** Ids of the messages that the app accepted. */
	get accepted(): ReadonlySet<string> {
		return new Set(this.app.accepted().map(({ payload }) => messageId(payload.toString("latin1"))));
	}

	/** Waits until the app accepted so many different messages. */
	async waitForAccepted(count: number, timeoutMs = 15_000): Promise<void> {
		await this.app.acceptedAtLeast(count, timeoutMs);
	}

	/** Waits until the app was called so many times. */
	async waitForCalls(count: number, timeoutMs = 15_000): Promise<void> {
		await eventually(() => this.app.requests().length >= count, { timeoutMs });
	}

	/** Starts of the sidecar. */
	get lives(): number {
		return this.#supervisors.reduce((sum, { lives }) => sum + lives, 0);
	}

	/** Starts the sidecar; startFaultRun has done that. */
	async start(): Promise<void> {
		await this.#launch(this.#options.sidecar ?? {});
		this.#caller = new ApiCaller(createOverHttp(() => this.sidecar));
		if (this.#options.untilReady ?? true) await untilReady(this.sidecar);
	}

	/** A rolling upgrade: another sidecar with the same component starts, and takes over when it listens; then the one before is stopped. */
	async replaceSidecar(options: Omit<SidecarOptions, "components" | "appPort" | "httpPort">): Promise<void> {
		const old = this.#supervisor;
		this.fault("sidecar replaced");
		old.retire();
		await this.#launch(options);
		this.#stops.push(historyTime());
		await old.sidecar.stop();
	}

	#components(): string {
		return component({
			url: this.proxy.url,
			direction: "input, output",
			keepAlive: "2s",
			connectTimeout: "2s",
			publishTimeout: "3s",
			...this.#options.fields,
		});
	}

	/** Writes down a fault that the test itself injects. */
	fault(what: string): void {
		this.#faults.push({ at: historyTime(), what });
	}

	/** What follows ends the sidecar, or may: its end is no violation. */
	expectEnd(what: string): void {
		this.fault(what);
		this.#supervisor.expectEnd();
	}

	/** SIGKILL to the sidecar; the supervisor starts it again. Does nothing while it is down. */
	killSidecar(what = "sidecar killed"): void {
		if (!this.sidecar.running) return;
		this.expectEnd(what);
		this.sidecar.signal("SIGKILL");
	}

	/** SIGTERM to the sidecar; the supervisor starts it again. */
	stopSidecar(): void {
		if (!this.sidecar.running) return;
		this.expectEnd("sidecar stopped");
		this.#stops.push(historyTime());
		this.sidecar.signal("SIGTERM");
	}

	/** SIGSTOP until that has come about. */
	async freezeSidecar(until: Promise<unknown>): Promise<void> {
		this.fault("sidecar frozen");
		this.sidecar.signal("SIGSTOP");
		await until;
		this.sidecar.signal("SIGCONT");
	}

	/** SIGKILL to the app, and a start. */
	async killApp(): Promise<void> {
		this.fault("app killed");
		this.#appLosses.push(historyTime());
		// Who connects to a dead app is refused.
		this.appProxy.refuse();
		await this.app.kill();
		await this.app.start();
		this.#appLosses.push(historyTime());
		await this.appProxy.listen();
	}

	/** RST on all connections to the app. */
	cutApp(): void {
		this.#appLosses.push(historyTime());
		this.appProxy.reset();
	}

	/** SIGKILL to the broker, which loses what it had not saved. Start it again with `broker.start()`. */
	async killBroker(): Promise<void> {
		this.fault("broker killed");
		const savedAt = historyTime() - SAVED_WITHIN_MS;
		await this.broker.kill();
		// Its last acknowledgements may still be on their way to the publisher.
		await later(100);
		this.#brokerKills.push({ at: historyTime(), savedAt });
	}

	/** SIGTERM to the broker and a start: it keeps all. */
	async restartBroker(): Promise<void> {
		this.fault("broker restarted");
		await this.broker.stop();
		await this.broker.start();
	}

	/**
	 * Heals everything, waits until a new message has come through and everything that the broker acknowledged was accepted, at most
	 * `liveMs` (default 20 s) each, and ends the calls of `create`.
	 */
	async settle({ liveMs = 20_000 } = {}): Promise<void> {
		if (this.#isSettled) return;
		this.#isSettled = true;
		this.publisher.pause();
		await this.proxy.heal();
		await this.appProxy.heal();
		await this.#live(liveMs, historyTime());
		await eventually(() => this.#unaccepted() === 0, { timeoutMs: liveMs, everyMs: 100 }).catch(() => {});
		if (this.#brokerKills.length > 0) await this.#rest();
		await this.caller.stop();
	}

	/** Settles if that was not done, ends the sidecar, and holds the histories against the invariants. */
	async finish(minimum: Minimum, options?: { readonly liveMs?: number }): Promise<FaultRunResult> {
		await this.settle(options);
		this.#supervisor.retire();
		await this.sidecar.stop();
		await Promise.all(this.#supervisors.map(({ done }) => done));
		const histories = this.histories();
		const violations = [
			...this.#violations,
			...this.#supervisors.flatMap((one) => one.violations),
			...checkHistories(histories, minimum),
		];
		const accepted = histories.app.filter(({ status = 0 }) => status >= 200 && status < 300);
		const messages = new Set(accepted.map(({ id }) => id)).size;
		const creates = histories.creates.filter(({ answer }) => answer === "success").length;
		const summary = `${messages} messages, ${creates} of ${histories.creates.length} creates succeeded, ${countFaults(histories)} faults, ${accepted.length - messages} duplicates`;
		return { histories, violations, summary };
	}

	/** As finish(); throws with the witnesses and where the histories are when an invariant is broken. Resolves with the summary. */
	async verify(minimum: Minimum, options?: { readonly liveMs?: number }): Promise<string> {
		const { violations, histories, summary } = await this.finish(minimum, options);
		if (violations.length > 0) {
			const logs = { sidecar: this.sidecar.output, broker: this.broker.log };
			throw new Error(`${failureReport(violations, histories, logs)}\n${summary}`);
		}
		return summary;
	}

	/** What was recorded so far. */
	histories(): Histories {
		const { ackOrder, ordering } = this.#options.fields ?? {};
		return {
			seed: this.#options.seed,
			published: this.publisher.records,
			wire: this.proxy.history,
			app: this.app.requests().map(({ payload, headers, at, status, answeredAt }) => ({
				id: messageId(payload.toString("latin1")),
				topic: headers.topic ?? "",
				at,
				...(status !== undefined && answeredAt !== undefined && { status, answeredAt }),
			})),
			creates: this.#caller?.records ?? [],
			faults: [...this.#faults, ...this.appProxy.history.flatMap((one) => (one.event === "fault" ? [one] : []))],
			appLosses: this.#appLosses,
			brokerKills: this.#brokerKills,
			brokerDropped: this.broker.log.filter((line) => /Outgoing messages are being dropped/.test(line)).length,
			stops: this.#stops,
			ends: this.#supervisors.flatMap(({ ends }) => ends),
			disposed: [],
			ackOrder: ackOrder === "strict" ? "strict" : "arrival",
			ordering: ordering === "topic" ? "topic" : "none",
		};
	}

	async [Symbol.asyncDispose](): Promise<void> {
		for (const supervisor of this.#supervisors) supervisor.retire();
		this.publisher.pause();
		void this.#caller?.stop();
		await disposeAll(this.#parts);
		await Promise.all(this.#supervisors.map(({ done }) => done));
	}

	get #supervisor(): Supervisor {
		const last = this.#supervisors.at(-1);
		if (last === undefined) throw new Error("the sidecar was not started yet");
		return last;
	}

	/** I9: a message that is published now is accepted in time. */
	async #live(liveMs: number, healedAt: number): Promise<void> {
		let id = "the next message";
		try {
			await eventually(
				async () => {
					const record = await Promise.race([this.publisher.publish(), later(1_000)]);
					if (record === undefined) throw new Error("the broker took no message");
					id = record.id;
					return true;
				},
				{ timeoutMs: liveMs },
			);
			await eventually(() => this.accepted.has(id), { timeoutMs: liveMs, everyMs: 50 });
		} catch {
			const message = `${id}, published after all faults had healed, was not accepted within ${liveMs} ms`;
			this.#violations.push({ invariant: "I9", message, witness: [`${healedAt.toFixed(1)} ms  all healed`] });
		}
	}

	/** Messages that must still come: those that a killed broker may have lost are not among them. */
	#unaccepted(): number {
		const { accepted } = this;
		return this.publisher.records.filter(({ id, acknowledgedAt: at }) => {
			if (at === undefined || accepted.has(id)) return false;
			return !this.#brokerKills.some((kill) => at >= kill.savedAt && at <= kill.at);
		}).length;
	}

	/** Nothing more comes: what a killed broker had saved after all has come as well. */
	async #rest(): Promise<void> {
		for (let before = -1; before < this.app.requests().length; await later(1_000)) before = this.app.requests().length;
	}

	async #launch(options: Omit<SidecarOptions, "components" | "appPort" | "httpPort">): Promise<void> {
		const sidecar = await startSidecar({
			components: this.#components(),
			appPort: this.appProxy.port,
			httpPort: await freePort(),
			...options,
		});
		this.#parts.unshift(sidecar);
		this.#supervisors.push(new Supervisor(sidecar));
	}
}

function later(ms: number): Promise<undefined> {
	return new Promise((resolve) => setTimeout(() => resolve(undefined), ms));
}
