#!/usr/bin/env node
// Before any dependency loads: with it, a `__proto__` in somebody's JSON could change the objects it is copied to.
Reflect.deleteProperty(Object.prototype, "__proto__");
const { runCommand } = await import("./command.js");
// Not only the exit code: a handler that never ends must not keep the process.
process.exit(await runCommand(process.argv.slice(2)));
