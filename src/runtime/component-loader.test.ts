import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { tempFolder } from "../../test/support/temp-folder.js";
import { readComponentFolders } from "./component-loader.js";

async function read(...paths: string[]) {
	const warnings: string[] = [];
	const { documents, problems, files } = await readComponentFolders(paths, (warning) => warnings.push(warning));
	const names = documents.map(({ content }) => (content as Map<string, unknown>).get("name"));
	return { documents, names, problems: problems.map(({ message }) => message), files, warnings };
}

it("reads folders in the given order, files by name, documents as they come", async () => {
	await using first = await tempFolder({
		"c.yml": "name: 1c",
		"a.YAML": "name: 1a\n---\nname: 1a2",
		"b.Yml": "name: 1b",
	});
	await using second = await tempFolder({ "a.yaml": "name: 2a" });
	const { names, problems, files } = await read(second.path, first.path);
	expect(names).toEqual(["2a", "1a", "1a2", "1b", "1c"]);
	expect(problems).toEqual([]);
	expect(files).toBe(4);
});

it("says where each field stands", async () => {
	await using folder = await tempFolder({ "a.yaml": "name: x\nspec:\n  type: y\n" });
	const { documents } = await read(folder.path);
	expect(documents[0]!.source(["spec", "type"])).toBe(`${join(folder.path, "a.yaml")}:3`);
});

it("reads a folder that is named twice once", async () => {
	await using folder = await tempFolder({ "a.yaml": "name: a" });
	expect((await read(folder.path, `${folder.path}/`)).names).toEqual(["a"]);
});

it("follows links, as Kubernetes mounts files", async () => {
	await using folder = await tempFolder({ "..data/real": "name: a" });
	await symlink(join(folder.path, "..data/real"), join(folder.path, "a.yaml"));
	expect((await read(folder.path)).names).toEqual(["a"]);
});

it("passes over subfolders and other files, and warns of names that look like a slip", async () => {
	await using folder = await tempFolder({
		"sub/a.yaml": "name: a",
		"sub.yaml/b.yaml": "name: b",
		"README.md": "#",
		"page.xml": "<x/>",
		"old.yaml.bak": "name: c",
		"slip.ymal": "name: d",
		"notes.yaml.txt": "name: e",
	});
	const { names, problems, warnings } = await read(folder.path);
	expect(names).toEqual([]);
	expect(problems).toEqual([]);
	expect(warnings).toEqual([
		`${join(folder.path, "notes.yaml.txt")}: skipped, its name does not end in .yaml or .yml`,
		`${join(folder.path, "slip.ymal")}: skipped, its name does not end in .yaml or .yml`,
	]);
});

it("names a folder that is missing and one that is a file, and reads the others", async () => {
	await using folder = await tempFolder({ "a.yaml": "name: a" });
	const missing = join(folder.path, "missing");
	const file = join(folder.path, "a.yaml");
	const { names, problems } = await read(missing, file, folder.path);
	expect(names).toEqual(["a"]);
	expect(problems).toEqual([
		`component folder "${missing}" cannot be read: ENOENT: no such file or directory, scandir '${missing}'`,
		`component folder "${file}" cannot be read: ENOTDIR: not a directory, scandir '${file}'`,
	]);
});

it("names files that are too large, not UTF-8, not there or not YAML, and reads the other documents", async () => {
	await using folder = await tempFolder({
		"a.yaml": `# ${" ".repeat(1024 * 1024)}`,
		"b.yaml": new Uint8Array([0x6e, 0xff]),
		"d.yaml": "name: d1\n---\nname: {\n---\nname: d2\n",
		"e.yaml": Buffer.from("\ufeffname: e"),
	});
	const dead = join(folder.path, "c.yaml");
	await symlink(join(folder.path, "nowhere"), dead);
	const { names, problems } = await read(folder.path);
	expect(names).toEqual(["d1", "d2", "e"]);
	expect(problems).toEqual([
		`${join(folder.path, "a.yaml")}:1: larger than the 1048576 bytes that a component file may have`,
		`${join(folder.path, "b.yaml")}:1: not valid UTF-8`,
		`${dead}:1: cannot be read: ENOENT: no such file or directory, stat '${dead}'`,
		expect.stringMatching(/d\.yaml:3: not valid YAML: flow map/),
	]);
});
