import { rename, symlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../../test/support/eventually.js";
import { tempFolder } from "../../test/support/temp-folder.js";
import { FileWatch } from "./file-watch.js";

async function watching(files: Readonly<Record<string, string>>, intervalMs = 600_000) {
	const folder = await tempFolder(files);
	onTestFinished(() => folder[Symbol.asyncDispose]());
	let changes = 0;
	const watch = new FileWatch({ folders: [folder.path], intervalMs, onChange: () => void changes++ });
	onTestFinished(() => watch.close());
	await watch.start();
	return { folder, watch, changes: () => changes };
}

async function changed(changes: () => number, count: number): Promise<void> {
	await eventually(() => expect(changes()).toBe(count));
}

test("what is written in pieces is one change", async () => {
	const { folder, changes } = await watching({ "a.yaml": "1" });
	for (const text of ["2", "3", "4"]) await folder.write("a.yaml", text);
	await changed(changes, 1);
	await folder.write("b.yaml", "1");
	await changed(changes, 2);
});

test("a file outside, also behind a symbolic link, and not what lies beside it", async () => {
	const { watch, changes } = await watching({});
	await using elsewhere = await tempFolder({ "real/key": "1" });
	await using links = await tempFolder({});
	await symlink(join(elsewhere.path, "real", "key"), join(links.path, "key"));
	await watch.follow([join(links.path, "key")]);
	await elsewhere.write("real/other", "x");
	await elsewhere.write("real/key", "22");
	await changed(changes, 1);
	await elsewhere.write("real/next", "333");
	await rename(join(elsewhere.path, "real", "next"), join(elsewhere.path, "real", "key"));
	await changed(changes, 2);
});

test("what was there at mark() is no change, what came since is one also when it is followed later", async () => {
	const { folder, watch, changes } = await watching({ "a.yaml": "1" });
	await folder.write("a.yaml", "2");
	await watch.mark();
	await elapse();
	expect(changes()).toBe(0);
	await folder.write("a.yaml", "3");
	await watch.follow([]);
	await changed(changes, 1);
});

test("the interval finds what the system does not tell", async () => {
	const { folder, watch, changes } = await watching({ "a.yaml": "1" }, 50);
	await watch.follow([join(folder.path, "far/away")]);
	await folder.write("far/away", "1");
	await changed(changes, 1);
});

test("nothing is told after close()", async () => {
	const { folder, watch, changes } = await watching({ "a.yaml": "1" }, 20);
	watch.close();
	await folder.write("a.yaml", "2");
	await elapse();
	expect(changes()).toBe(0);
});

/** Longer than a change takes to be told. */
const elapse = () => delay(500);
