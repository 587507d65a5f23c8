import { createHash } from "node:crypto";
import { open } from "node:fs/promises";

/** No certificate and no key is larger; of a larger file the beginning counts. */
const MAX_BYTES = 1024 * 1024;

/** The path in a value of the form `file:PATH`, which the fields for certificates and keys take; undefined for any other. */
export function namedFile(value: string): string | undefined {
	const text = value.trim();
	// A key that was pasted behind `file:` is no path.
	if (!text.startsWith("file:") || text.includes("-----BEGIN ") || text.length > 4_096) return undefined;
	return text.slice("file:".length).trim();
}

/** The file that a value names, and a digest of what is in it now: `unreadable` where it can't be read. Undefined for other values. */
export async function digestNamedFile(
	value: string,
): Promise<{ readonly path: string; readonly digest: string } | undefined> {
	const path = namedFile(value);
	return path === undefined ? undefined : { path, digest: await digestFile(path) };
}

async function digestFile(path: string): Promise<string> {
	try {
		const file = await open(path);
		try {
			if (!(await file.stat()).isFile()) return "unreadable";
			const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_BYTES), 0, MAX_BYTES, 0);
			return createHash("sha256").update(buffer.subarray(0, bytesRead)).digest("base64");
		} finally {
			await file.close();
		}
	} catch {
		return "unreadable";
	}
}
