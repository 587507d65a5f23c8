import { parseDuration } from "../bindings/duration.js";
import { parseSize } from "../bindings/size.js";
import type { ConfigurationError } from "../errors.js";
import { flagError } from "./flags.js";

/** Reads flags as typed values. A bad one becomes a problem, and its default is returned. */
export class FlagValues {
	readonly problems: ConfigurationError[] = [];
	readonly #values: ReadonlyMap<string, readonly string[]>;

	constructor(values: ReadonlyMap<string, readonly string[]>) {
		this.#values = values;
	}

	has(name: string): boolean {
		return this.#values.has(name);
	}

	/** Notes that a flag's value can't be used. */
	problem(name: string, expected: string): void {
		this.problems.push(flagError(name, `--${name} ${JSON.stringify(this.text(name) ?? "")}: expected ${expected}`));
	}

	/** The last value given. */
	text(name: string): string | undefined {
		return this.#values.get(name)?.at(-1);
	}

	/** Every value given. */
	all(name: string): readonly string[] {
		return this.#values.get(name) ?? [];
	}

	/** A comma-separated list, without empty members. */
	list(name: string): readonly string[] {
		return this.all(name)
			.flatMap((value) => value.split(","))
			.map((member) => member.trim())
			.filter((member) => member !== "");
	}

	choice<T extends string>(name: string, choices: readonly T[], fallback: T): T {
		const given = this.text(name)?.toLowerCase();
		if (given === undefined) return fallback;
		const choice = choices.find((candidate) => candidate === given);
		if (choice === undefined) this.problem(name, choices.join(", "));
		return choice ?? fallback;
	}

	/** What Go's flag package takes for a boolean. */
	boolean(name: string): boolean | undefined {
		const given = this.text(name);
		if (given === undefined) return undefined;
		if (/^(1|t|true)$/i.test(given)) return true;
		if (/^(0|f|false)$/i.test(given)) return false;
		this.problem(name, "true or false");
		return undefined;
	}

	integer(name: string, minimum: number, maximum: number): number | undefined {
		const given = this.text(name);
		if (given === undefined) return undefined;
		const number = /^[+-]?\d+$/.test(given) ? Number(given) : Number.NaN;
		if (number >= minimum && number <= maximum) return number;
		this.problem(name, `a whole number from ${minimum} to ${maximum}`);
		return undefined;
	}

	/** A Go duration, in milliseconds; a bare number is seconds. */
	durationMs(name: string): number | undefined {
		const given = this.text(name);
		if (given === undefined) return undefined;
		const milliseconds = parseDuration(given);
		if (milliseconds !== undefined && milliseconds <= LONGEST_MS) return milliseconds;
		this.problem(name, milliseconds === undefined ? "a duration as 5s, 1m30s or 250ms" : "at most 596h");
		return undefined;
	}

	/** A Kubernetes quantity, in bytes; -1 stands for a default, as in daprd. */
	bytes(name: string): number | undefined {
		const given = this.text(name);
		if (given === undefined) return undefined;
		const bytes = given === "-1" ? -1 : parseSize(given);
		if (bytes !== undefined && bytes <= LARGEST_SIZE) return bytes;
		this.problem(name, "a size as 4Mi, 512Ki or 1G, at most 1Gi");
		return undefined;
	}
}

const LARGEST_SIZE = 2 ** 30;
/** 596 hours: a timer of Node's that is to take longer than about that fires at once. */
const LONGEST_MS = 596 * 3_600_000;
