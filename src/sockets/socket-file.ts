import { chmod, chown, lstat, mkdtemp, rename, rm, unlink } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { dirname, join, resolve } from "node:path";
import { ConfigurationError } from "../errors.js";

/** The longest path that the system takes; beyond it some cut it off without a word. */
const MAX_PATH_BYTES = process.platform === "linux" ? 107 : 103;
/** Of `/.123456/s`. */
const NEST_BYTES = 10;
/** Owner and group may connect. */
const DEFAULT_MODE = 0o660;

/** Where a socket file is to be, and for whom. */
export interface SocketPlace {
	readonly path: string;
	/** The flag that chose it, with dashes, for messages. */
	readonly flag: string;
	/** Whoever may write may connect. Default 0660. */
	readonly mode?: number | undefined;
	/** The group's number. Default: the process's. */
	readonly gid?: number | undefined;
}

/** A file that servers of this process answer on. */
export interface SocketFile {
	/** Takes the file away, if it is still ours. Idempotent, never rejects. */
	remove(): Promise<void>;
}

/**
 * Starts `server` on a Unix socket at `place`, in place of one that nobody answers on any more. Tells `onWarning` of a folder
 * that others may write in. Rejects with ConfigurationError for a folder that is none, and for a file that is not ours or in use.
 */
export async function listenOnSocketFile(
	server: Server,
	place: SocketPlace,
	onWarning: (message: string) => void,
): Promise<SocketFile> {
	const file = resolve(place.path);
	const unusable = (path: string, reason: string, cause?: unknown) =>
		new ConfigurationError(`${place.flag}: ${path}: ${reason}`, { cause, property: place.flag.replace(/^-+/, "") });
	const folder = dirname(file);
	const length = Buffer.byteLength(file);
	// It is bound elsewhere first, see bindAndMove().
	const maxLength = MAX_PATH_BYTES - Math.max(0, Buffer.byteLength(folder) + NEST_BYTES - length);
	if (length > maxLength) {
		throw unusable(file, `this path has ${length} bytes, and a socket's may have ${maxLength}: choose a shorter one`);
	}
	const fault = await folderFault(folder);
	if (fault !== undefined) throw unusable(folder, fault);
	if (await isShared(folder)) {
		onWarning(`${place.flag}: others may replace the socket file in ${folder}: it is not ours alone to write in`);
	}
	const obstacle = await obstacleAt(file);
	if (obstacle !== undefined) throw unusable(file, obstacle);
	try {
		await bindAndMove(server, file, place);
		const { dev, ino } = await lstat(file);
		return { remove: () => removeOwn(file, dev, ino) };
	} catch (cause) {
		server.close();
		throw unusable(file, `can't listen on it (${reasonOf(cause)})`, cause);
	}
}

async function folderFault(folder: string): Promise<string | undefined> {
	try {
		const found = await lstat(folder);
		// A link can be turned elsewhere after this look.
		if (found.isSymbolicLink()) return "it is a symbolic link: name the folder itself";
		return found.isDirectory() ? undefined : "it is no folder";
	} catch (error) {
		return codeOf(error) === "ENOENT"
			? "there is no such folder: make it first"
			: `can't look into it (${reasonOf(error)})`;
	}
}

async function isShared(folder: string): Promise<boolean> {
	const { uid, mode } = await lstat(folder);
	return uid !== process.getuid?.() || (mode & 0o022) !== 0;
}

/** What stands in the way of a new file: whatever is not a socket of ours that nobody answers on. */
async function obstacleAt(file: string): Promise<string | undefined> {
	const found = await lstat(file).catch(() => undefined);
	if (found === undefined) return undefined;
	if (!found.isSocket()) return "a file is there that is no socket";
	if (found.uid !== process.getuid?.()) return "a socket of another user is there";
	return (await isAnswered(file)) ? "another process listens on it" : undefined;
}

function isAnswered(file: string): Promise<boolean> {
	return new Promise((settle) => {
		const socket = connect({ path: file });
		socket.once("connect", () => {
			socket.destroy();
			settle(true);
		});
		socket.once("error", (error) => settle(!["ECONNREFUSED", "ENOENT"].includes(String(codeOf(error)))));
	});
}

/** In a folder of its own first, as the file's name is to appear when somebody answers, and to replace what is left there in one step. */
async function bindAndMove(server: Server, file: string, { mode = DEFAULT_MODE, gid }: SocketPlace): Promise<void> {
	// Nobody else may look into it: who may connect is settled before the file can be found.
	const nest = await mkdtemp(`${dirname(file)}/.`);
	const path = join(nest, "s");
	try {
		await new Promise<void>((settle, reject) => {
			server.once("error", reject);
			server.listen({ path }, () => settle(void server.off("error", reject)));
		});
		await chmod(path, mode);
		if (gid !== undefined) await chown(path, -1, gid);
		await rename(path, file);
	} finally {
		await rm(nest, { recursive: true, force: true });
	}
}

async function removeOwn(file: string, dev: number, ino: number): Promise<void> {
	try {
		const found = await lstat(file);
		if (found.dev === dev && found.ino === ino) await unlink(file);
	} catch {
		// Somebody else has taken it away.
	}
}

const REASONS: Readonly<Record<string, string>> = {
	EACCES: "no permission to write there",
	EPERM: "not permitted",
	EROFS: "the file system is read-only",
	ENOSPC: "no space left",
	EDQUOT: "no space left",
};

function reasonOf(error: unknown): string {
	const code = codeOf(error);
	if (typeof code !== "string") return String(error);
	const words = REASONS[code];
	return words === undefined ? code : `${words}, ${code}`;
}

function codeOf(error: unknown): unknown {
	return error instanceof Error && "code" in error ? error.code : undefined;
}
