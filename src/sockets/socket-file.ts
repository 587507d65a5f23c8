import { lstat, mkdtemp, rename, rmdir, unlink } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { dirname, join, resolve } from "node:path";
import { ConfigurationError } from "../errors.js";

/** The longest path that every system takes; beyond it some cut it off without a word. */
const MAX_PATH_BYTES = 103;
/** A file that is made then has mode 0660. */
const UMASK = 0o117;

/** A file that servers of this process answer on. */
export interface SocketFile {
	/** Takes the file away, if it is still ours. Idempotent, never rejects. */
	remove(): Promise<void>;
}

/**
 * Starts `server` on a Unix socket at `path`, mode 0660, in place of one that nobody answers on any more. Tells `onWarning` of a folder
 * that others may write in. Rejects with ConfigurationError for a folder that is none, and for a file that is not ours or in use.
 */
export async function listenOnSocketFile(
	server: Server,
	path: string,
	onWarning: (message: string) => void,
): Promise<SocketFile> {
	const file = resolve(path);
	if (Buffer.byteLength(file) > MAX_PATH_BYTES) {
		throw unusable(file, `its path is longer than ${MAX_PATH_BYTES} bytes: choose a shorter one`);
	}
	await checkFolder(dirname(file), onWarning);
	await checkPredecessor(file);
	try {
		await bindAndMove(server, file);
		const { dev, ino } = await lstat(file);
		return { remove: () => removeOwn(file, dev, ino) };
	} catch (cause) {
		server.close();
		throw unusable(file, `can't listen on it (${codeOf(cause) ?? cause})`, cause);
	}
}

async function checkFolder(folder: string, onWarning: (message: string) => void): Promise<void> {
	const found = await lstat(folder).catch((cause: unknown) => {
		throw unusable(folder, `can't look into it (${codeOf(cause)})`, cause);
	});
	// A link can be turned elsewhere after this look.
	if (found.isSymbolicLink()) throw unusable(folder, "it is a symbolic link: name the folder itself");
	if (!found.isDirectory()) throw unusable(folder, "it is no folder");
	if (found.uid !== process.getuid?.() || (found.mode & 0o022) !== 0) {
		onWarning(
			`--unix-domain-socket: others may replace the socket file in ${folder}: it is not ours alone to write in`,
		);
	}
}

async function checkPredecessor(file: string): Promise<void> {
	const found = await lstat(file).catch(() => undefined);
	if (found === undefined) return;
	if (!found.isSocket()) throw unusable(file, "a file is there that is no socket");
	if (found.uid !== process.getuid?.()) throw unusable(file, "a socket of another user is there");
	if (await isAnswered(file)) throw unusable(file, "another process listens on it");
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
async function bindAndMove(server: Server, file: string): Promise<void> {
	const nest = await mkdtemp(`${dirname(file)}/.`);
	const path = join(nest, "s");
	try {
		await new Promise<void>((settle, reject) => {
			server.once("error", reject);
			// Bound before listen() returns; a chmod afterwards would come too late.
			const umask = process.umask(UMASK);
			try {
				server.listen({ path }, () => settle(void server.off("error", reject)));
			} finally {
				process.umask(umask);
			}
		});
		await rename(path, file);
	} finally {
		await rmdir(nest).catch(() => {});
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

function unusable(path: string, reason: string, cause?: unknown): ConfigurationError {
	return new ConfigurationError(`--unix-domain-socket: ${path}: ${reason}`, { cause, property: "unix-domain-socket" });
}

function codeOf(error: unknown): unknown {
	return error instanceof Error && "code" in error ? error.code : undefined;
}
