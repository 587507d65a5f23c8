import { chmod, lstat, mkdir, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect } from "vitest";
import { tempFolder } from "../../support/temp-folder.js";

export interface SquattersOptions {
	/** The name of the socket file that the program would make. */
	readonly file: string;
	/** Starts it in a folder where it can't start; resolves with the line that says so. */
	readonly refusedIn: (folder: string) => Promise<string>;
	/** Starts it in a folder that is open to everybody, sees it serve, and resolves with its warning. */
	readonly warnedIn: (folder: string) => Promise<string>;
}

/** What may stand where a socket file is to be: somebody's server, a file, a link; and folders that are links, or open. Resolves with what was said. */
export async function playSquatters({ file, refusedIn, warnedIn }: SquattersOptions): Promise<string> {
	await using folder = await tempFolder();
	const said: string[] = [];
	const refused = async (where: string) => {
		const line = await refusedIn(where);
		expect(line).toContain(where);
		said.push(line.replaceAll(folder.path, "…"));
	};
	const place = async (name: string) => {
		const made = join(folder.path, name);
		await mkdir(made, { mode: 0o700 });
		return made;
	};
	const busy = await place("busy");
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(join(busy, file), resolve));
	await refused(busy);
	await new Promise((resolve) => server.close(resolve));
	const plain = await place("plain");
	await writeFile(join(plain, file), "mine");
	await refused(plain);
	expect((await lstat(join(plain, file))).size).toBe(4);
	const linked = await place("linked");
	await symlink("/nowhere", join(linked, file));
	await refused(linked);
	await symlink(plain, join(folder.path, "link"));
	await refused(join(folder.path, "link"));
	const open = await place("open");
	await chmod(open, 0o777);
	const warning = (await warnedIn(open)).replaceAll(folder.path, "…");
	return `${said.length} starts refused: ${said.join("; ")}; and a warning: ${warning.slice(0, 200)}`;
}
