// The library: a handler that accepts at once.
import { join } from "node:path";
import { report } from "./child.mjs";

const [port, clientId, count] = [Number(process.argv[2]), process.argv[3], Number(process.argv[4])];
const { createBinding } = await import(join(process.argv[5], "index.js"));
const done = report();
let seen = 0;
const binding = createBinding({ url: `tcp://127.0.0.1:${port}`, topic: "bench", clientId });
await binding.receive(() => {
	if (++seen !== count) return;
	done(count);
	setImmediate(() => binding.close());
});
