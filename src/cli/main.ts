#!/usr/bin/env node
// Before any dependency loads: with it, a `__proto__` in somebody's JSON could change the objects it is copied to.
Reflect.deleteProperty(Object.prototype, "__proto__");
const { runCommand } = await import("./command.js");
const { lastWords } = await import("./last-words.js");
const exitCode = await runCommand(process.argv.slice(2));
await lastWords([process.stdout, process.stderr]);
// Not left to an empty event loop: a handler that never ends must not keep the process.
process.exit(exitCode);
