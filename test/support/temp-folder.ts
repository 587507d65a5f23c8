import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A folder of the test's own, gone with everything in it when disposed. */
export interface TempFolder extends AsyncDisposable {
	readonly path: string;
	/** Writes a file (0600, as secrets go there too), creating folders on the way; resolves with its absolute path. */
	write(name: string, content: string | Uint8Array): Promise<string>;
}

/** Makes a folder below the system's temporary one, with `files` in it: name → content. */
export async function tempFolder(files: Readonly<Record<string, string | Uint8Array>> = {}): Promise<TempFolder> {
	const path = await mkdtemp(join(tmpdir(), "mqtt3-binding-"));
	const folder: TempFolder = {
		path,
		async write(name, content) {
			const file = join(path, name);
			await mkdir(dirname(file), { recursive: true });
			await writeFile(file, content, { mode: 0o600 });
			return file;
		},
		async [Symbol.asyncDispose]() {
			await rm(path, { recursive: true, force: true, maxRetries: 3 });
		},
	};
	for (const [name, content] of Object.entries(files)) await folder.write(name, content);
	return folder;
}
