import { problemLines } from "./problem-lines.js";
import { readVersion } from "./version.js";

const HELP = `Example:
  mqtt3-binding run --app-id shop --app-port 3000 --resources-path ./components -- node app.js

Dapr's bindings.mqtt3 for any app: messages of an MQTT broker arrive as HTTP requests, and the other way round.

Commands:
  run        the sidecar for one app (run --help shows its flags)
  init       writes a component file with comments
  validate   says everything that is wrong in component files, before the start (validate --help)
  check      connects to the brokers of component files and says what works (check --help)
  schema     the JSON Schema of component files, for editors
  component  the pluggable component for the real daprd (component --help)
  demo       broker, sidecar, sample app and device in one process

  --version  print the version
  --help     print this
`;

/** Runs one command line. Resolves with the exit code; what is wrong with flags and components is told on standard error. */
export async function runCommand([command, ...rest]: readonly string[]): Promise<number> {
	try {
		switch (command) {
			case "run": {
				const { run } = await import("./run.js");
				return await run(rest, process.env);
			}
			case "component": {
				const { component } = await import("./component.js");
				return await component(rest, process.env);
			}
			case "init": {
				const { init } = await import("./init.js");
				return await init(rest);
			}
			case "check": {
				const { check } = await import("./check.js");
				return await check(rest, process.env);
			}
			case "schema": {
				const { schema } = await import("./schema.js");
				return await schema(rest);
			}
			case "validate": {
				const { validate } = await import("./validate.js");
				return await validate(rest, process.env);
			}
			case "demo": {
				const { demo } = await import("./demo.js");
				return await demo(rest, process.env);
			}
			case "--version":
			case "-version":
				process.stdout.write(`${readVersion()}\n`);
				return 0;
			case "--help":
			case "-help":
			case "-h":
			case "help":
				process.stdout.write(HELP);
				return 0;
			default:
				process.stderr.write(
					command === undefined ? HELP : `error: unknown command ${JSON.stringify(command)}\n\n${HELP}`,
				);
				return 1;
		}
	} catch (error) {
		const lines = problemLines(error);
		if (lines === undefined) throw error;
		process.stderr.write(lines.map((line) => `${line}\n`).join(""));
		return 1;
	}
}
