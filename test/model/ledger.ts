import assert from "node:assert/strict";

/** What the binding is told to do with a message that the app does not accept. */
export interface Rules {
	readonly retries: number;
	readonly exhausted: "hold" | "drop" | "deadLetter";
	/** One message of a topic at a time, in the broker's order. */
	readonly lanes: boolean;
}

export interface Message {
	readonly content: string;
	readonly topic: string;
	/** Too large to be delivered, and dropped for it. */
	readonly isOversized?: boolean;
}

/** Things that happen to the messages of one content. */
export type Count =
	| "published"
	| "brokerLost"
	/** Those of them that went with the whole session. */
	| "sessionLost"
	| "accepted"
	| "failed"
	| "unasked"
	| "started"
	| "resent"
	| "acked"
	| "deadLettered"
	/** The broker acknowledged a dead letter of it while the binding still waited for that. */
	| "letterHeard"
	/** Refused with a status that `dropOn` names. */
	| "dropped"
	/** Refused with a status that `deadLetterOn` names. */
	| "condemned";

/** What publishers, app and broker know of every message, over all connections and processes, and what must hold between those figures. */
export class Ledger {
	readonly #rules: Rules;
	readonly #counts = new Map<string, Partial<Record<Count, number>>>();
	/** In the order in which the broker first sent them. */
	readonly #byTopic = new Map<string, Message[]>();
	readonly #oversized = new Set<string>();
	/** By content: how often it was handled in processes that died before they acknowledged it. */
	#unheard = new Map<string, number>();
	readonly #passedOver = new Set<string>();

	constructor(rules: Rules) {
		this.#rules = rules;
	}

	add(content: string, count: Count): void {
		const counts = this.#counts.get(content) ?? {};
		counts[count] = (counts[count] ?? 0) + 1;
		this.#counts.set(content, counts);
	}

	of(content: string, count: Count): number {
		return this.#counts.get(content)?.[count] ?? 0;
	}

	/** Of all contents. */
	total(count: Count): number {
		return [...this.#counts.values()].reduce((sum, counts) => sum + (counts[count] ?? 0), 0);
	}

	published(message: Message): void {
		this.add(message.content, "published");
		if (message.isOversized) this.#oversized.add(message.content);
	}

	/** The broker sends it for the first time: this is its order. */
	sent(message: Message): void {
		const topic = this.#byTopic.get(message.topic) ?? [];
		if (topic.some(({ content }) => content === message.content)) return;
		topic.push(message);
		this.#byTopic.set(message.topic, topic);
	}

	/** How many acknowledgements of it are justified by now. */
	handled(content: string): number {
		const { retries, exhausted } = this.#rules;
		if (this.#oversized.has(content)) return this.of(content, "published");
		const dropped = exhausted === "drop" ? Math.floor(this.of(content, "failed") / (retries + 1)) : 0;
		const byStatus = this.of(content, "dropped");
		return this.of(content, "accepted") + this.of(content, "deadLettered") + dropped + byStatus;
	}

	/** Handled in this process, and not acknowledged since. */
	isSettled(content: string): boolean {
		if (this.#oversized.has(content)) return true;
		return this.handled(content) - (this.#unheard.get(content) ?? 0) > this.of(content, "acked");
	}

	/** Settled for certain in this process, and not acknowledged since: accepted, or dead-lettered with a PUBACK that came in time. */
	isAccepted(content: string): boolean {
		const certain = this.of(content, "accepted") + this.of(content, "letterHeard");
		return certain - (this.#unheard.get(content) ?? 0) > this.of(content, "acked");
	}

	/** The process is gone: what it was told and has not passed on justifies nothing any more. */
	processGone(): void {
		this.#passedOver.clear();
		for (const content of this.#counts.keys()) {
			this.#unheard.set(content, this.handled(content) - this.of(content, "acked"));
		}
	}

	/** The app is called. */
	started(content: string, topic: string): void {
		this.add(content, "started");
		const reasons = (["published", "failed", "unasked", "resent"] as const).map((name) => this.of(content, name));
		assert.ok(
			this.of(content, "started") <= reasons.reduce((a, b) => a + b),
			`I13 duplicate that nothing explains: ${content}`,
		);
		if (!this.#rules.lanes) return;
		for (const earlier of this.#byTopic.get(topic) ?? []) {
			if (earlier.content === content) break;
			const isOver = this.handled(earlier.content) > 0 || this.of(earlier.content, "brokerLost") > 0;
			assert.ok(isOver, `I14 ${content} before ${earlier.content} of the same topic`);
		}
	}

	/** A dead letter of it is written: by right, if its retries are used up or its status asks for it. What is refused while stopping does not count. */
	checkDeadLetter(content: string): void {
		const { retries, exhausted } = this.#rules;
		const isUsedUp = exhausted === "deadLetter" && this.of(content, "failed") > retries;
		assert.ok(isUsedUp || this.of(content, "condemned") > 0, `I17 a dead letter that nothing explains: ${content}`);
	}

	/** An acknowledgement of it is written. */
	acknowledged(content: string): void {
		assert.ok(this.isSettled(content), `I2 acknowledged before the app accepted: ${content}`);
		this.add(content, "acked");
	}

	/** Later acknowledgements may overtake it from now on, in this process. */
	passOver(content: string): void {
		this.#passedOver.add(content);
	}

	/** A later acknowledgement may overtake it by right. */
	isPassedOver(content: string): boolean {
		return this.#passedOver.has(content) || this.#oversized.has(content);
	}

	/** Those of a topic that the binding may go on with although the broker lost them, ahead of what comes later: begun, or gone with the session. */
	lostAhead(topic: string): readonly string[] {
		const contents = (this.#byTopic.get(topic) ?? []).map(({ content }) => content);
		return contents.filter((one) => {
			const isBegun = this.of(one, "brokerLost") > 0 && this.of(one, "started") > 0;
			return (isBegun || this.of(one, "sessionLost") > 0) && this.handled(one) === 0;
		});
	}

	/** After everything has healed. */
	checkNothingLost(): void {
		for (const [content, { published = 0, brokerLost = 0 }] of this.#counts) {
			assert.ok(this.handled(content) >= published - brokerLost, `I1 lost: ${content}`);
		}
	}
}
