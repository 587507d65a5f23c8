import { PassThrough, Writable } from "node:stream";
import { describe, expect, it } from "vitest";
import { lastWords } from "./last-words.js";

describe("lastWords", () => {
	it("it waits until everything has left", async () => {
		const stream = new PassThrough({ highWaterMark: 1 });
		let text = "";
		stream.write("one");
		stream.write("two");
		const done = lastWords([stream], 60_000);
		stream.on("data", (chunk) => {
			text += chunk;
		});
		await done;
		expect(text).toBe("onetwo");
	});

	it("it does not wait for a reader that is stuck or gone", async () => {
		const stuck = new Writable({ write: () => {} });
		stuck.write("one");
		const gone = new PassThrough();
		gone.on("error", () => {});
		gone.destroy();
		await lastWords([gone], 60_000);
		await lastWords([stuck], 1);
		expect(stuck.writableLength).toBe(3);
	});
});
