import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { symlink, truncate } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { tempFolder } from "../support/temp-folder.js";

const MAIN = join(import.meta.dirname, "..", "..", "dist", "cli", "main.js");
const BAD = join(import.meta.dirname, "..", "fixtures", "bad");
/** A secret in the fixtures, which no output may show. */
const CANARY = "canary";
const names = readdirSync(BAD)
	.filter((file) => file.endsWith(".yaml"))
	.map((file) => file.slice(0, -".yaml".length));

/** What `validate` says of one path, and its exit code. Rejects when it takes longer than a person waits. */
function validate(cwd: string, path: string): Promise<string> {
	return new Promise((resolve, reject) => {
		const env = { PATH: process.env.PATH, LANG: "C" };
		const child = spawn(process.execPath, [MAIN, "validate", path], { cwd, env, timeout: 20_000 });
		let output = "";
		for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
		child.on("error", reject);
		child.on("close", (code, signal) => {
			if (code === 0 || code === 1) resolve(`${output}exit code ${code}\n`);
			else reject(new Error(`${path} ended with ${signal ?? code}: ${output}`));
		});
	});
}

describe("files as people break them", () => {
	test("are many", () => {
		expect(names.length).toBeGreaterThanOrEqual(60);
	});

	const outputs = new Map<string, string>();

	// Several at once: most of it is the start of a process.
	beforeAll(async () => {
		const left = [...names];
		const lane = async () => {
			for (let name = left.pop(); name !== undefined; name = left.pop()) {
				outputs.set(name, await validate(BAD, `${name}.yaml`));
			}
		};
		await Promise.all(Array.from({ length: 4 }, lane));
	});

	test.each(names)("%s: place, fault and remedy, and no secret", async (name) => {
		const output = outputs.get(name)!;
		expect(output).not.toContain(CANARY);
		await expect(output).toMatchFileSnapshot(join(BAD, `${name}.txt`));
	});
});

describe("what is no file to be read", () => {
	test("one of 50 MB, a loop of links, a folder with the name of a file, a link to nowhere", async () => {
		await using folder = await tempFolder({ "large/a.yaml": "", "folder/a.yaml/b": "" });
		await truncate(join(folder.path, "large/a.yaml"), 50 * 1024 * 1024);
		await folder.write("loop/keep.txt", "");
		await symlink("a.yaml", join(folder.path, "loop/a.yaml"));
		await folder.write("nowhere/keep.txt", "");
		await symlink("/no/such/file", join(folder.path, "nowhere/a.yaml"));
		expect(await validate(folder.path, "large")).toMatch(/large\/a\.yaml:1:.*larger than the 1048576 bytes/);
		expect(await validate(folder.path, "loop")).toMatch(/loop\/a\.yaml:1:.*ELOOP/);
		expect(await validate(folder.path, "folder")).toMatch(/no usable component/);
		expect(await validate(folder.path, "nowhere")).toMatch(/nowhere\/a\.yaml:1:.*ENOENT/);
	});
});
