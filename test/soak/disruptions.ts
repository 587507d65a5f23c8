/** A fault, from its begin until all was whole again. */
export interface Disruption {
	readonly kind: string;
	readonly beganAt: number;
	/** When a new message had come through again; Infinity before. */
	endedAt: number;
	/** Connections or processes were lost: copies may follow. */
	readonly cuts: boolean;
	duplicates: number;
}

/** How many are kept for asking; a run has them all in its counts. */
const KEPT = 10_000;

/** The app's file is read so often, and who was frozen may close a connection a moment after it has thawed. */
const SLACK_MS = 2_000;

/** The faults of a run. */
export class Disruptions {
	readonly list: Disruption[] = [];
	count = 0;
	/** When mosquitto was killed: what it had acknowledged just before may be gone with it. */
	readonly brokerKills: number[] = [];

	begin(kind: string, cuts: boolean, at: number): Disruption {
		const disruption: Disruption = { kind, beganAt: at, endedAt: Number.POSITIVE_INFINITY, cuts, duplicates: 0 };
		this.list.push(disruption);
		if (this.list.length > KEPT) this.list.shift();
		this.count++;
		return disruption;
	}

	/** Copies that followed on faults of a kind. */
	duplicatesOf(kind: string): number {
		return this.list.reduce((sum, each) => sum + (each.kind === kind ? each.duplicates : 0), 0);
	}

	/** The latest one that explains a copy of what was accepted at `from`, and again at `until`. */
	between(from: number, until: number): Disruption | undefined {
		return this.list.findLast(({ cuts, beganAt, endedAt }) => cuts && beganAt <= until && endedAt >= from - SLACK_MS);
	}

	/** The first kill of the broker soon after a moment: mosquitto saves once a second, and acknowledges before. Its last words are read late. */
	killSoonAfter(at: number): number | undefined {
		return this.brokerKills.find((killedAt) => killedAt >= at - 250 && killedAt - at < 5_000);
	}
}
