// Makes src/gen from proto/: messages and service definitions with ts-proto, and the descriptors that server reflection answers with.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { BinaryReader } from "@bufbuild/protobuf/wire";

const ROOT = dirname(import.meta.dirname);
const GEN = join(ROOT, "src/gen");
const BUF = join(dirname(createRequire(import.meta.url).resolve("@bufbuild/buf/package.json")), "bin/buf");

/** Writes src/gen anew; with `isCheck` writes nothing. Returns the paths that differ, relative to the project. */
export function generateProtocol({ isCheck }) {
	const folder = mkdtempSync(join(tmpdir(), "gen-"));
	try {
		buf(["generate", "--include-imports", "--output", folder]);
		const made = join(folder, "src/gen");
		writeFileSync(join(made, "descriptors.ts"), descriptors());
		const stale = differences(made, GEN);
		if (!isCheck && stale.length > 0) {
			rmSync(GEN, { recursive: true, force: true });
			mkdirSync(GEN, { recursive: true });
			cpSync(made, GEN, { recursive: true });
		}
		return stale.map((path) => relative(ROOT, path));
	} finally {
		rmSync(folder, { recursive: true });
	}
}

/** A module with the FileDescriptorProto of every file. */
function descriptors() {
	const set = buf(["build", "--exclude-source-info", "--output", "-#format=binpb"]);
	const reader = new BinaryReader(set);
	const files = [];
	while (reader.pos < reader.len) {
		// FileDescriptorSet has one field: repeated FileDescriptorProto file = 1.
		if (reader.uint32() !== 10) throw new Error("not a FileDescriptorSet");
		files.push(Buffer.from(reader.bytes()).toString("base64"));
	}
	const lines = files.map((file) => `\t"${file}",\n`);
	return `// Made from proto/ by "npm run generate". DO NOT EDIT.

/** The FileDescriptorProto of each file, in base64, for server reflection. */
export const FILE_DESCRIPTORS: readonly string[] = [\n${lines.join("")}];\n`;
}

function buf(args) {
	const { status, stdout, stderr, error } = spawnSync(process.execPath, [BUF, ...args], {
		cwd: ROOT,
		maxBuffer: 64 * 1024 * 1024,
	});
	if (error) throw error;
	if (status !== 0) throw new Error(`buf ${args.join(" ")}: ${stderr}${stdout}`);
	return stdout;
}

/** Files of `there` that are missing, other or too many, compared with those of `here`. */
function differences(here, there) {
	const names = new Set([...filesBelow(here), ...filesBelow(there)]);
	return [...names]
		.filter((name) => read(join(here, name)) !== read(join(there, name)))
		.map((name) => join(there, name));
}

function filesBelow(folder) {
	try {
		return readdirSync(folder, { recursive: true, withFileTypes: true })
			.filter((entry) => entry.isFile())
			.map((entry) => relative(folder, join(entry.parentPath, entry.name)));
	} catch (error) {
		if (error.code === "ENOENT") return [];
		throw error;
	}
}

function read(file) {
	try {
		return readFileSync(file, "utf8");
	} catch (error) {
		if (error.code === "ENOENT") return undefined;
		throw error;
	}
}
