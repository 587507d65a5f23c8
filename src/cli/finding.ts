import { readFileSync } from "node:fs";
import { MQTT3_FIELDS } from "../bindings/mqtt3-fields.js";

/** One thing that is wrong in a file, or odd. */
export interface Finding {
	readonly severity: "error" | "warning";
	/** Absent where no file is at fault. */
	readonly file?: string;
	/** From 1. */
	readonly line?: number;
	/** From 1. */
	readonly column?: number;
	readonly component?: string;
	readonly field?: string;
	readonly message: string;
	/** The line as it may be shown: without what may be a secret. */
	readonly shown?: string;
	/** How many characters the caret underlines. */
	readonly width?: number;
}

const DOCUMENT = /^(?:component|resiliency|configuration) (?:"((?:[^"\\]|\\.)*)" )?\((.+?):(\d+)\): (.*)$/s;
const PLACE = /^(.+?):(\d+): (.*)$/s;

/** Takes a sentence of the loader or of a binding apart into its place and what is wrong there. */
export class PlaceReader {
	/** Lines of files that were named. */
	readonly #files = new Map<string, readonly string[]>();

	of(severity: Finding["severity"], sentence: string, property?: string): Finding {
		const document = DOCUMENT.exec(sentence);
		if (document !== null) {
			const [, name, file, line, rest] = document;
			const field =
				/^(?:(?:unknown )?field "([^"]+)"|missing \w+$)/.exec(rest!)?.[1] ??
				property ??
				/^(\S+) is unknown /.exec(rest!)?.[1];
			return {
				severity,
				...(name !== undefined && { component: name }),
				...(field !== undefined && { field }),
				message: rest!,
				...this.#place(file!, Number(line), field),
			};
		}
		const place = PLACE.exec(sentence);
		if (place === null) return { severity, message: sentence };
		const [, file, line, rest] = place;
		return { severity, message: rest!, ...this.#place(file!, Number(line), undefined) };
	}

	#place(file: string, line: number, field: string | undefined): Partial<Finding> {
		const text = this.#lines(file)[line - 1];
		if (text === undefined) return { file, line };
		const { column, width } = underlined(text, field);
		return { file, line, column, width, shown: withoutSecrets(text, field) };
	}

	#lines(file: string): readonly string[] {
		let lines = this.#files.get(file);
		if (lines === undefined) {
			try {
				lines = readFileSync(file, "utf8").split(/\r?\n/);
			} catch {
				lines = [];
			}
			this.#files.set(file, lines);
		}
		return lines;
	}
}

/** The field's name where it stands on the line, else all of the line. */
function underlined(line: string, field: string | undefined): { readonly column: number; readonly width: number } {
	const last = field?.split(/[.[]/).at(-1) ?? "";
	const found = last === "" ? -1 : line.toLowerCase().indexOf(last.toLowerCase());
	if (found >= 0) return { column: found + 1, width: last.length };
	const start = line.length - line.trimStart().length;
	return { column: start + 1, width: Math.max(1, line.trim().length) };
}

const SHOWN_KINDS = new Set(["boolean", "integer", "duration", "size", "qos", "choice", "choices", "statuses"]);

/** Values stand there only where a field is known to hold no secret: in a log of CI everybody reads them. */
function withoutSecrets(line: string, field: string | undefined): string {
	const known = Object.entries(MQTT3_FIELDS).find(([name]) => name.toLowerCase() === field?.toLowerCase())?.[1];
	if (known !== undefined && !("secret" in known) && SHOWN_KINDS.has(known.kind)) return line;
	const value = /^(.*?\bvalue\s*:\s*)\S/.exec(line);
	if (value !== null) return `${value[1]}…`;
	// Nothing but structure: names, and fields of the manifest itself.
	if (/^\s*(?:- )?[{\s]*[\w.-]+\s*:/.test(line) || line.trim().length < 2) return harmless(line);
	return `${line.slice(0, line.length - line.trimStart().length)}…`;
}

/** A line that begins with a key: its value stays where the key is one of the manifest's own. */
function harmless(line: string): string {
	const [, head, key] = /^(\s*(?:- )?[{\s]*([\w.-]+)\s*:)/.exec(line) ?? [];
	if (key === undefined || MANIFEST_KEYS.has(key.toLowerCase())) return line;
	return line.slice(head!.length).trim() === "" ? line : `${head} …`;
}

const MANIFEST_KEYS = new Set(
	[
		"apiversion kind metadata name namespace spec type version ignoreerrors inittimeout scopes auth secretstore secretkeyref envref",
		"policies timeouts retries circuitbreakers targets components inbound outbound timeout retry circuitbreaker policy duration",
		"maxinterval maxretries matching httpstatuscodes grpcstatuscodes maxrequests interval trip",
		"protocol samplingrate stdout issecure enabled obfuscateurls omithealthchecks",
	].flatMap((names) => names.split(" ")),
);
