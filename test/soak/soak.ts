import { setTimeout as sleep } from "node:timers/promises";
import { historyTime } from "../faults/support/wire-history.js";
import { Disruptions } from "./disruptions.js";
import { InputLedger } from "./input-ledger.js";
import { OutputLedger } from "./output-ledger.js";
import { SOAK_FAULTS, type SoakFault } from "./soak-faults.js";
import { SoakLog } from "./soak-log.js";
import { type SoakParts, withSoakParts } from "./soak-parts.js";
import { lookAt, SoakSamples } from "./soak-samples.js";
import { SoakTraffic } from "./soak-traffic.js";
import { Violations } from "./violations.js";

/** I9: the longest back-off, the connect timeout of the component, and five seconds. */
const RECOVERY_MS = 40_000;
/** I1: what waits longer than this after the last fault is lost. */
const SETTLE_MS = 60_000;
/** Accepted messages a minute, and calls that succeeded, below which nothing was shown. */
const LEAST_A_MINUTE = 500;
/** The chance that a second fault comes into the first. */
const SECOND = 0.25;
const TAKE_MS = 100;
/** A third FIN within a minute would be another client with the same identifier (docs/decisions/0017), to be left slower on purpose. */
const MAX_FINISHES = 2;
const FINISHES_WITHIN_MS = 75_000;

/** What a soak takes. */
export interface SoakOptions {
	readonly minutes: number;
	readonly seed: number;
	/** A line now and then. */
	readonly onProgress: (line: string) => void;
}

/** What a soak found. */
export interface SoakResult extends SoakOptions {
	readonly seconds: number;
	readonly input: InputLedger;
	readonly output: OutputLedger;
	readonly disruptions: Disruptions;
	readonly samples: SoakSamples;
	/** Faults, and the sidecar's own log. */
	readonly log: readonly string[];
	readonly startedAt: number;
	readonly lost: number;
	readonly longestRecovery: { readonly ms: number; readonly fault: string };
	/** What is wrong; a good run has none. */
	readonly violations: Violations;
}

/** Everything at once: numbered messages both ways, and faults from a seed, for so many minutes; then calm, and the account. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
	const random = randomFrom(options.seed);
	return await withSoakParts(random, async (parts) => await new Soak(options, random, parts).run());
}

class Soak {
	readonly #options: SoakOptions;
	readonly #random: () => number;
	readonly #parts: SoakParts;
	readonly #disruptions = new Disruptions();
	readonly #violations = new Violations();
	readonly #input = new InputLedger(this.#disruptions, this.#violations);
	readonly #output = new OutputLedger(this.#disruptions, this.#violations);
	readonly #samples = new SoakSamples();
	readonly #log = new SoakLog();
	readonly #startedAt = historyTime();
	readonly #hurt = new Set<string>();
	/** When such faults began, the latest ones. */
	#finishes: number[] = [];
	#longestRecovery = { ms: 0, fault: "none" };
	#doing = "calm";

	constructor(options: SoakOptions, random: () => number, parts: SoakParts) {
		this.#options = options;
		this.#random = random;
		this.#parts = parts;
	}

	async run(): Promise<SoakResult> {
		await using traffic = await SoakTraffic.connect(this.#parts, this.#input, this.#output);
		const timers = [
			setInterval(() => traffic.take(), TAKE_MS),
			setInterval(() => this.#log.read(this.#parts.sidecar), TAKE_MS),
			setInterval(() => void this.#sample(), 1_000),
			setInterval(() => this.#progress(), 5_000),
		];
		try {
			// The broker saves the sessions.
			await sleep(2_000);
			traffic.start();
			const end = this.#startedAt + this.#options.minutes * 60_000;
			while (historyTime() < end) {
				await sleep(500 + this.#random() * 4_000);
				await this.#hurtSomebody(traffic);
			}
			this.#doing = "settling";
			traffic.stop();
			const deadline = historyTime() + SETTLE_MS;
			while (historyTime() < deadline && traffic.pending + this.#input.lost().length + this.#output.lost().length > 0)
				await sleep(100);
			await sleep(1_000);
			traffic.take();
			return this.#account();
		} finally {
			for (const timer of timers) clearInterval(timer);
		}
	}

	async #hurtSomebody(traffic: SoakTraffic): Promise<void> {
		const first = this.#choose();
		const all = [this.#play(first, traffic)];
		if (this.#random() < SECOND) {
			await sleep(this.#random() * 2_000);
			all.push(this.#play(this.#choose(), traffic));
		}
		await Promise.all(all);
		this.#doing = "calm";
	}

	/** One whose victim is not hurt already. */
	#choose(): SoakFault {
		this.#finishes = this.#finishes.filter((at) => historyTime() - at < FINISHES_WITHIN_MS);
		const mayFinish = this.#finishes.length < MAX_FINISHES;
		const possible = SOAK_FAULTS.filter(({ victim, finishes }) => !this.#hurt.has(victim) && (mayFinish || !finishes));
		return possible[Math.floor(this.#random() * possible.length)]!;
	}

	async #play(fault: SoakFault, traffic: SoakTraffic): Promise<void> {
		const { name, victim, cuts, lasts, play } = fault;
		const [least, most] = lasts;
		this.#hurt.add(victim);
		this.#doing = name;
		this.#log.add(`fault: ${name}`);
		if (fault.finishes) this.#finishes.push(historyTime());
		traffic.take();
		const disruption = this.#disruptions.begin(name, cuts, historyTime());
		if (name.startsWith("broker killed")) this.#disruptions.brokerKills.push(historyTime());
		if (victim === "app") this.#input.appKilled();
		try {
			await play(this.#parts, least + this.#random() * (most - least));
		} catch (error) {
			this.#violations.add(`${name}: ${(error as Error).message}`);
		}
		this.#hurt.delete(victim);
		this.#log.add(`whole again: ${name}`);
		await this.#recovered(name, traffic);
		disruption.endedAt = historyTime();
	}

	/** A message published, and a call made, after all was whole again come through. */
	async #recovered(name: string, traffic: SoakTraffic): Promise<void> {
		while (this.#hurt.size > 0) await sleep(50);
		const healedAt = historyTime();
		const probe = traffic.nextIn;
		const successes = this.#output.answers.success;
		for (;;) {
			await sleep(50);
			const ms = historyTime() - healedAt;
			const through = this.#input.hasAccepted(probe) && this.#output.answers.success > successes;
			if (through && ms > this.#longestRecovery.ms) this.#longestRecovery = { ms, fault: name };
			if (through) return;
			if (this.#hurt.size > 0) return await this.#recovered(name, traffic);
			if (ms < RECOVERY_MS) continue;
			const what = this.#input.hasAccepted(probe) ? "no create succeeded" : `i-${probe} was not accepted`;
			this.#log.add(`${name}: ${what} in time`);
			this.#violations.add(`${name}: ${what} within ${RECOVERY_MS} ms after all was whole again (I9)`);
			return;
		}
	}

	async #sample(): Promise<void> {
		const [accepted, created] = [this.#input.accepted, this.#output.answers.success];
		const seconds = (historyTime() - this.#last.at) / 1_000;
		const rates = {
			accepted: (accepted - this.#last.accepted) / seconds,
			created: (created - this.#last.created) / seconds,
		};
		this.#last = { at: historyTime(), accepted, created };
		const second = (historyTime() - this.#startedAt) / 1_000;
		if (!this.#parts.sidecar.running && !this.#hurt.has("sidecar")) this.#violations.add("the sidecar has ended (I10)");
		this.#samples.add({ second, ...(await lookAt(this.#parts.sidecar)), ...rates });
	}

	#last = { at: this.#startedAt, accepted: 0, created: 0 };

	#progress(): void {
		const before = historyTime() - SETTLE_MS * 2;
		const lost = this.#input.lost(before).length + this.#output.lost(before).length;
		const { memoryMiB = Number.NaN, descriptors = 0, unacknowledged = 0 } = this.#samples.list.at(-1) ?? {};
		const second = Math.round((historyTime() - this.#startedAt) / 1_000);
		this.#options.onProgress(
			[
				`${String(Math.floor(second / 60)).padStart(2)}:${String(second % 60).padStart(2, "0")}`,
				`in ${this.#input.accepted} (${this.#input.lost().length} wait)`,
				`out ${this.#output.answers.success} (${this.#output.lost().length} wait)`,
				`faults ${this.#disruptions.count}`,
				`lost ${lost}`,
				`violations ${this.#violations.count}`,
				`duplicates ${this.#input.duplicates}`,
				`in flight ${unacknowledged}`,
				`RSS ${memoryMiB.toFixed(0)} MiB, ${descriptors} descriptors`,
				this.#doing,
			].join("  "),
		);
	}

	#account(): SoakResult {
		const { minutes } = this.#options;
		const lostIn = this.#input.lost();
		const lostOut = this.#output.lost();
		if (lostIn.length > 0) {
			this.#violations.add(
				`${lostIn.length} messages were acknowledged to their publisher and never accepted, the first i-${lostIn[0]} (I1)`,
			);
		}
		if (lostOut.length > 0) {
			this.#violations.add(`${lostOut.length} creates succeeded and never arrived, the first o-${lostOut[0]} (I6)`);
		}
		const forgotten = this.#disruptions.duplicatesOf("broker killed and started");
		if (this.#input.duplicates - forgotten > this.#input.atRisk) {
			this.#violations.add(
				`${this.#input.duplicates - forgotten} messages were accepted twice, and ${this.#input.atRisk} were in flight when something was cut (I13)`,
			);
		}
		if (this.#disruptions.count === 0) this.#violations.add("no fault fired: nothing was shown");
		for (const [what, count] of [
			["accepted messages", this.#input.accepted],
			["successful creates", this.#output.answers.success],
		] as const) {
			if (count < LEAST_A_MINUTE * minutes) {
				this.#violations.add(
					`${count} ${what} in ${minutes} minutes: too few to show anything (${LEAST_A_MINUTE * minutes})`,
				);
			}
		}
		return {
			...this.#options,
			seconds: (historyTime() - this.#startedAt) / 1_000,
			input: this.#input,
			output: this.#output,
			disruptions: this.#disruptions,
			samples: this.#samples,
			log: this.#log.lines,
			startedAt: this.#startedAt,
			lost: lostIn.length + lostOut.length,
			longestRecovery: this.#longestRecovery,
			violations: this.#violations,
		};
	}
}

/** mulberry32: the same numbers from the same seed. */
function randomFrom(seed: number): () => number {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
	};
}
