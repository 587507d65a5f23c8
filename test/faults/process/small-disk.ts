import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempFolder } from "../../support/temp-folder.js";

/** A disk of its own with very little room. */
export interface SmallDisk extends AsyncDisposable {
	readonly path: string;
	/** Takes all the room that is left. */
	fill(): void;
	/** Gives it back. */
	free(): void;
}

/** Mounts a disk of so many KiB; `options` as of mount(8). Needs root. */
export async function smallDisk(kib = 256, options = "rw"): Promise<SmallDisk> {
	const folder = await tempFolder();
	execFileSync("mount", ["-t", "tmpfs", "-o", `size=${kib}k,${options}`, "tmpfs", folder.path]);
	const filler = join(folder.path, "filler");
	return {
		path: folder.path,
		fill() {
			try {
				writeFileSync(filler, Buffer.alloc(kib * 1_024));
			} catch {
				// Full, as it should be.
			}
		},
		free: () => rmSync(filler, { force: true }),
		async [Symbol.asyncDispose]() {
			execFileSync("umount", ["--lazy", folder.path]);
			await folder[Symbol.asyncDispose]();
		},
	};
}
