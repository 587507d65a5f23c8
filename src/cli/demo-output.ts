import { styleText } from "node:util";

/** Where the lines go: a terminal or anything else that takes text. */
export interface DemoStream {
	write(text: string): unknown;
	readonly isTTY?: boolean;
	/** A terminal's answer honours NO_COLOR and FORCE_COLOR. */
	hasColors?(): boolean;
}

/** The four steps of a round trip, with their colours. */
const HOPS = {
	"device → broker": "cyan",
	"broker → sidecar → app": "green",
	"app → sidecar → broker": "yellow",
	"broker → device": "magenta",
} as const;

/** One step of a message's way. */
export type Hop = keyof typeof HOPS;

type Style = Parameters<typeof styleText>[0];

const HOP_WIDTH = Math.max(...Object.keys(HOPS).map((hop) => hop.length));
const PLACE_WIDTH = 24;
const LONGEST_PAYLOAD = 120;

/** What the demo shows: aligned lines, coloured where they end up in a terminal. */
export class DemoOutput {
	readonly #stream: DemoStream;
	readonly #now: () => Date;
	readonly #coloured: boolean;

	constructor(stream: DemoStream, now: () => Date = () => new Date()) {
		this.#stream = stream;
		this.#now = now;
		this.#coloured = stream.isTTY === true && (stream.hasColors?.() ?? false);
	}

	/** One line as it is. */
	line(text = "", style?: Style): void {
		this.#stream.write(`${style === undefined ? text : this.#style(style, text)}\n`);
	}

	/** A row of a table: a name, what belongs to it, and a remark. */
	row(name: string, value: string, remark: string): void {
		this.line(`  ${this.#style("bold", name.padEnd(9))}${value.padEnd(25)}${this.#style("dim", remark)}`);
	}

	/** A step of a message's way. `place`: topic or path. The payload may come from anybody and is shown without control characters. */
	hop(hop: Hop, place: string, payload: string, remark = ""): void {
		const way = this.#style(HOPS[hop], hop.padEnd(HOP_WIDTH));
		const what = printable(payload);
		const end = remark === "" ? "" : `  ${this.#style("dim", remark)}`;
		this.line(`${this.#style("dim", this.#clock())}  ${way}  ${place.padEnd(PLACE_WIDTH)}  ${what}${end}`);
	}

	/** Something that should not be. */
	problem(text: string): void {
		this.line(`${this.#style("dim", this.#clock())}  ${this.#style("red", printable(text, 1_000))}`);
	}

	#clock(): string {
		const now = this.#now();
		const two = (value: number) => String(value).padStart(2, "0");
		const milliseconds = String(now.getMilliseconds()).padStart(3, "0");
		return `${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}.${milliseconds}`;
	}

	#style(style: Style, text: string): string {
		return this.#coloured ? styleText(style, text, { validateStream: false }) : text;
	}
}

function printable(text: string, longest = LONGEST_PAYLOAD): string {
	const short = text.length > longest ? `${text.slice(0, longest)}…` : text;
	return short.replace(/\p{Cc}/gu, (character) =>
		JSON.stringify(character)
			.slice(1, -1)
			.replace(/\p{Cc}/gu, "?"),
	);
}
