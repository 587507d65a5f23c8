import {
	Composer,
	type Document,
	type DocumentOptions,
	isAlias,
	isMap,
	isNode,
	isScalar,
	isSeq,
	Lexer,
	LineCounter,
	type ParseOptions,
	Parser,
	type SchemaOptions,
	visit,
	type YAMLError,
} from "yaml";

/** The steps from a document's root to one of its fields: names in any case, and positions in lists. */
export type FieldPath = readonly PropertyKey[];

/** One YAML document that could be read. */
export interface YamlDocument {
	/** Maps are `Map`s, so that no name can touch a prototype; whole numbers are `bigint`s, so that no digit is lost. */
	readonly content: unknown;
	/** The line of the field at `path`, or of its nearest ancestor that is there. The empty path: of the document. */
	line(path: FieldPath): number;
}

/** Why one document could not be read. Says nothing of the document's values. */
export interface YamlProblem {
	readonly line: number;
	readonly problem: string;
}

const MAX_DOCUMENTS = 1_000;
const MAX_DEPTH = 200;
const MAX_ALIASES = 100;

const OPTIONS: ParseOptions & DocumentOptions & SchemaOptions = {
	version: "1.1",
	prettyErrors: false,
	// findFault looks for them: in linear time, and it knows the key's name.
	uniqueKeys: false,
	intAsBigInt: true,
	logLevel: "error",
	// A date and `1:30` are text to Dapr's parser.
	customTags: (tags) =>
		tags.filter((tag) => typeof tag === "string" || (tag.format !== "TIME" && !NOT_IN_DAPR.test(tag.tag))),
};
const NOT_IN_DAPR = /:(?:timestamp|omap|pairs|set)$/;

/**
 * Splits a file into its YAML 1.1 documents and reads each by itself, so that a broken one leaves the others alone.
 * Documents without content are left out.
 */
export function* readYamlDocuments(text: string): Generator<YamlDocument | YamlProblem> {
	let count = 0;
	for (const part of splitAtMarkers(text)) {
		for (const document of readPart(part)) {
			if (++count > MAX_DOCUMENTS) {
				return yield { line: part.firstLine, problem: `more than ${MAX_DOCUMENTS} documents in one file` };
			}
			yield document;
		}
	}
}

interface Part {
	readonly text: string;
	readonly firstLine: number;
}

function* splitAtMarkers(text: string): Generator<Part> {
	let from = 0;
	let firstLine = 1;
	for (const marker of text.matchAll(/(?<=\n)---(?=\s|$)/g)) {
		const part = text.slice(from, marker.index);
		// Directives belong to the document that the marker begins.
		if (/^(?:[#%].*\n|\s)*$/.test(part)) continue;
		yield { text: part, firstLine };
		from = marker.index;
		firstLine += part.split("\n").length - 1;
	}
	yield { text: text.slice(from), firstLine };
}

function* readPart({ text, firstLine }: Part): Generator<YamlDocument | YamlProblem> {
	const lines = new LineCounter();
	// What is never closed is missed behind the last line.
	const end = text.trimEnd().length;
	const lineAt = (offset: number) => firstLine - 1 + lines.linePos(Math.min(offset, end)).line;
	for (const composed of compose(text, lines)) {
		const fault = "problem" in composed ? composed : findFault(composed);
		if (fault !== undefined) yield { line: lineAt(fault.offset), problem: fault.problem };
		else if (!("problem" in composed) && hasContent(composed)) yield toYamlDocument(composed, lineAt);
	}
}

interface Fault {
	readonly offset: number;
	readonly problem: string;
}

/** Composes with bounded depth, as composing recurses, and stops at the first piece that fits nowhere. */
function* compose(text: string, lines: LineCounter): Generator<Document.Parsed | Fault> {
	lines.addNewLine(0);
	const parser = new Parser(lines.addNewLine);
	const composer = new Composer(OPTIONS);
	for (const lexeme of new Lexer().lex(text)) {
		for (const token of parser.next(lexeme)) {
			if (token.type === "error") return yield { offset: token.offset, problem: "text that fits nowhere" };
			yield* composer.next(token);
		}
		if (parser.stack.length > MAX_DEPTH) return yield { offset: parser.offset, problem: "nested too deeply" };
	}
	for (const token of parser.end()) yield* composer.next(token);
	yield* composer.end();
}

function findFault(document: Document.Parsed): Fault | undefined {
	const [error] = document.errors;
	if (error !== undefined) return { offset: error.pos[0], problem: inWords(error) };
	const fault = findRepetition(document);
	if (fault !== undefined) return fault;
	try {
		toContent(document);
		return undefined;
	} catch {
		return { offset: offsetOf(document.contents), problem: "its aliases expand to too much" };
	}
}

/** Finds what the composer lets pass: a key that is there twice, an alias to nothing, an alias to what it stands in. */
function findRepetition(document: Document.Parsed): Fault | undefined {
	const anchors = new Map<string, unknown>();
	let aliases = 0;
	let fault: Fault | undefined;
	visit(document, (_key, node, path) => {
		if (isAlias(node)) {
			const problem = faultOfAlias(anchors.get(node.source), path, ++aliases);
			if (problem !== undefined) fault = { offset: offsetOf(node), problem };
		} else if (isNode(node)) {
			if ((isScalar(node) || isMap(node) || isSeq(node)) && node.anchor !== undefined) anchors.set(node.anchor, node);
			if (isMap(node)) fault = findDuplicateKey(node.items.map((pair) => pair.key));
		}
		return fault === undefined ? undefined : visit.BREAK;
	});
	return fault;
}

function faultOfAlias(target: unknown, ancestors: readonly unknown[], count: number): string | undefined {
	if (target === undefined) return "an alias without an anchor before it";
	if (ancestors.includes(target)) return "an alias inside its own anchor";
	return count > MAX_ALIASES ? `more than ${MAX_ALIASES} aliases` : undefined;
}

function findDuplicateKey(keys: readonly unknown[]): Fault | undefined {
	const seen = new Set<string>();
	for (const key of keys) {
		if (!isScalar(key)) continue;
		const name = String(key.value);
		if (seen.has(name)) return { offset: offsetOf(key), problem: `the key ${JSON.stringify(name)} is there twice` };
		seen.add(name);
	}
	return undefined;
}

/** The library's sentence, except where it would quote the document, which may hold a secret. */
function inWords(error: YAMLError): string {
	if (error.code === "UNEXPECTED_TOKEN") return "text that fits nowhere";
	if (error.code === "BAD_ALIAS" || error.code === "TAG_RESOLVE_FAILED") return "an alias or a tag that cannot be read";
	const [sentence = ""] = error.message.replace(/closing (["'])quote/, "closing $1 quote").split("\n");
	return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}

function hasContent(document: Document.Parsed): boolean {
	return document.contents !== null && !(isScalar(document.contents) && document.contents.value === null);
}

function toContent(document: Document.Parsed): unknown {
	return document.toJS({ mapAsMap: true, maxAliasCount: MAX_ALIASES });
}

function toYamlDocument(document: Document.Parsed, lineAt: (offset: number) => number): YamlDocument {
	return { content: toContent(document), line: (path) => lineAt(findOffset(document, path)) };
}

function findOffset(document: Document.Parsed, path: FieldPath): number {
	let node: unknown = document.contents;
	let offset = offsetOf(node);
	for (const step of path) {
		if (isAlias(node)) node = node.resolve(document);
		const name = String(step).toLowerCase();
		if (isMap(node)) {
			const pair = node.items.find(({ key }) => isScalar(key) && String(key.value).toLowerCase() === name);
			if (pair === undefined) break;
			offset = offsetOf(pair.key);
			node = pair.value;
		} else if (isSeq(node) && node.items[Number(step)] !== undefined) {
			node = node.items[Number(step)];
			offset = offsetOf(node);
		} else break;
	}
	return offset;
}

function offsetOf(node: unknown): number {
	return (isNode(node) && node.range?.[0]) || 0;
}
