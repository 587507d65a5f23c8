import { createHash, randomBytes } from "node:crypto";
import { lstatSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Properties, Report } from "../bindings/binding.js";
import { ConfigurationError } from "../errors.js";
import type { Half } from "./instance.js";

type Remembered = { readonly name: string } & Partial<Record<Half, Properties>>;

const MAX_FILES = 1_024;
const MAX_FILE_BYTES = 1_024 * 1_024;

/**
 * What daprd sent with Init, on disk: after a restart of this process daprd does not send it again. It holds secrets: the files are for
 * their owner alone, in a folder that nobody else may write in.
 */
export class Memory {
	readonly #folder: string;
	readonly #onReport: (report: Report) => void;
	readonly #remembered = new Map<string, Remembered>();

	/** Makes the folder if it is missing. Throws ConfigurationError when it can't be used. Of a file that can't be read it tells `onReport`. */
	constructor(folder: string, onReport: (report: Report) => void) {
		this.#folder = folder;
		this.#onReport = onReport;
		try {
			mkdirSync(folder, { recursive: true, mode: 0o700 });
			checkFolder(folder);
			for (const file of readdirSync(folder)
				.filter((name) => name.endsWith(".json"))
				.slice(0, MAX_FILES))
				this.#load(file);
		} catch (cause) {
			if (cause instanceof ConfigurationError) throw cause;
			throw unusable(folder, `can't be used (${(cause as NodeJS.ErrnoException).code ?? cause})`, cause);
		}
	}

	/** The components that it knows this half of. */
	names(half: Half): readonly string[] {
		return [...this.#remembered.values()].filter((one) => one[half] !== undefined).map(({ name }) => name);
	}

	/** The properties of the latest Init of this half; undefined when there was none. */
	recall(name: string, half: Half): Properties | undefined {
		return this.#remembered.get(name)?.[half];
	}

	/** Keeps them. A disk that does not take them is reported, and no reason to refuse an Init. */
	async remember(name: string, half: Half, properties: Properties): Promise<void> {
		const entry = { ...this.#remembered.get(name), name, [half]: properties };
		this.#remembered.set(name, entry);
		const file = join(this.#folder, `${createHash("sha256").update(name).digest("hex").slice(0, 32)}.json`);
		const temporary = `${file}.${randomBytes(4).toString("hex")}`;
		try {
			await writeFile(temporary, JSON.stringify(entry), { mode: 0o600, flag: "wx" });
			await rename(temporary, file);
		} catch (cause) {
			await rm(temporary, { force: true }).catch(() => {});
			const error = cause instanceof Error ? cause : new Error(String(cause));
			const message = `--state-dir: the properties of component ${JSON.stringify(name)} could not be kept (${(error as NodeJS.ErrnoException).code}): after a restart of this process its output has to wait for daprd's`;
			this.#onReport({ level: "error", code: "properties-not-kept", message });
		}
	}

	#load(file: string): void {
		const path = join(this.#folder, file);
		try {
			const { size } = lstatSync(path);
			if (size > MAX_FILE_BYTES) throw new Error(`${size} bytes`);
			const entry = JSON.parse(readFileSync(path, "utf8")) as Remembered;
			if (!isRemembered(entry)) throw new Error("not what was written here");
			this.#remembered.set(entry.name, entry);
		} catch {
			// Not its words: they may quote the file, which holds secrets.
			const message = `--state-dir: ${path} can't be read and is left out: remove it`;
			this.#onReport({ level: "warn", code: "properties-unreadable", message });
		}
	}
}

function isRemembered(entry: Remembered): boolean {
	const halves = [entry.input, entry.output].filter((half) => half !== undefined);
	return (
		typeof entry.name === "string" &&
		halves.every((half) => typeof half === "object" && Object.values(half).every((value) => typeof value === "string"))
	);
}

function checkFolder(folder: string): void {
	const found = lstatSync(folder);
	if (found.isSymbolicLink()) throw unusable(folder, "is a symbolic link: name the folder itself");
	if (!found.isDirectory()) throw unusable(folder, "is no folder");
	if (found.uid !== process.getuid?.()) throw unusable(folder, "belongs to another user");
	if ((found.mode & 0o077) !== 0) throw unusable(folder, "is open to others, and is to hold secrets: chmod 700 it");
}

function unusable(folder: string, reason: string, cause?: unknown): ConfigurationError {
	return new ConfigurationError(`--state-dir: ${folder} ${reason}`, { cause, property: "state-dir" });
}
