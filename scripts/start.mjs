// `npm start`: builds, then runs the demo in this process, so that npm sees how it ends.
import { fileURLToPath } from "node:url";

await import("./build.mjs");
if (process.exitCode === 0) {
	const main = new URL("../dist/cli/main.js", import.meta.url);
	process.argv.splice(1, 1, fileURLToPath(main), "demo");
	await import(main.href);
}
