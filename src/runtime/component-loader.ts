import { isUtf8 } from "node:buffer";
import { readdir, readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { ConfigurationError } from "../errors.js";
import { type FieldPath, readYamlDocuments } from "./yaml-documents.js";

/** One document of a component file. */
export interface ComponentDocument {
	/** Maps are `Map`s, whole numbers `bigint`s. */
	readonly content: unknown;
	/** `file:line` of the field at `path`, or of its nearest ancestor that is there. The empty path: of the document. */
	source(path: FieldPath): string;
}

/** What stands in the component folders. */
export interface ComponentFolders {
	/** In the order of folders, file names and documents. */
	readonly documents: readonly ComponentDocument[];
	/** Everything that could not be read. */
	readonly problems: readonly ConfigurationError[];
	/** How many YAML files were looked at. */
	readonly files: number;
}

const MAX_FILE_BYTES = 1024 * 1024;

/**
 * Reads the `.yaml` and `.yml` files of the folders: folders in the given order, files by name, not recursively.
 * Never rejects: what cannot be read is among the problems. `onWarning` hears of files whose name looks like a slip. `takesFiles`: a path
 * may also name one file, of any name.
 */
export async function readComponentFolders(
	paths: readonly string[],
	onWarning: (message: string) => void,
	{ takesFiles = false }: { readonly takesFiles?: boolean } = {},
): Promise<ComponentFolders> {
	const documents: ComponentDocument[] = [];
	const problems: ConfigurationError[] = [];
	let files = 0;
	for (const folder of distinctFolders(paths)) {
		const isFile = takesFiles && (await stat(folder).catch(() => undefined))?.isFile() === true;
		for (const name of isFile ? [""] : await listFolder(folder, problems)) {
			const file = isFile ? folder : join(folder, name);
			if (!isFile && !/\.ya?ml$/i.test(name)) {
				if (looksLikeSlip(name)) onWarning(`${file}: skipped, its name does not end in .yaml or .yml`);
				continue;
			}
			const text = await readComponentFile(file, problems);
			if (text === undefined) continue;
			files++;
			for (const document of readYamlDocuments(text)) {
				if ("problem" in document) {
					problems.push(new ConfigurationError(`${file}:${document.line}: not valid YAML: ${document.problem}`));
				} else {
					documents.push({ content: document.content, source: (path) => `${file}:${document.line(path)}` });
				}
			}
		}
	}
	return { documents, problems, files };
}

/** A folder that is named twice counts once, where it is named first. */
function distinctFolders(paths: readonly string[]): readonly string[] {
	return paths.filter((path, index) => paths.findIndex((other) => resolve(other) === resolve(path)) === index);
}

async function listFolder(folder: string, problems: ConfigurationError[]): Promise<readonly string[]> {
	try {
		return (await readdir(folder)).sort();
	} catch (cause) {
		problems.push(
			new ConfigurationError(`component folder ${JSON.stringify(folder)} cannot be read: ${messageOf(cause)}`),
		);
		return [];
	}
}

/** The file's text; undefined for what is no file and for what became a problem. */
async function readComponentFile(file: string, problems: ConfigurationError[]): Promise<string | undefined> {
	try {
		const status = await stat(file);
		if (!status.isFile()) return undefined;
		const bytes = status.size > MAX_FILE_BYTES ? undefined : await readFile(file);
		if (bytes === undefined || bytes.length > MAX_FILE_BYTES) {
			problems.push(
				new ConfigurationError(`${file}:1: larger than the ${MAX_FILE_BYTES} bytes that a component file may have`),
			);
			return undefined;
		}
		if (isUtf8(bytes)) return new TextDecoder().decode(bytes);
		problems.push(new ConfigurationError(`${file}:1: not valid UTF-8`));
	} catch (cause) {
		problems.push(new ConfigurationError(`${file}:1: cannot be read: ${messageOf(cause)}`));
	}
	return undefined;
}

function messageOf(cause: unknown): string {
	return cause instanceof Error ? cause.message : String(cause);
}

function looksLikeSlip(name: string): boolean {
	return /\.(?:yalm|ymal|ylm|yam|yaml?l|yml?l)$|\.ya?ml\.(?:txt|json)$/i.test(name);
}
