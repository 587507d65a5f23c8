import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Where daemons are installed; not in every user's PATH. */
const DAEMON_FOLDERS = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"];

/** The path of an executable of that name in PATH or where daemons are; undefined when there is none. */
export function findProgram(name: string): string | undefined {
	const folders = [...(process.env.PATH ?? "").split(delimiter).filter(Boolean), ...DAEMON_FOLDERS];
	return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
	try {
		accessSync(path, constants.X_OK);
		return statSync(path).isFile();
	} catch {
		return false;
	}
}
