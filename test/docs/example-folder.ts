import { cp, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { freePort } from "../support/free-port.js";
import { type Program, startProgram } from "../support/process.js";
import { tempFolder } from "../support/temp-folder.js";

export const ROOT = join(import.meta.dirname, "..", "..");

/** The ports that examples and README name: broker, app, sidecar. */
const USUAL_PORTS = ["1883", "3000", "3500"];

/** A copy of the examples, in a folder where the package is installed, with free ports in place of the usual ones. */
export interface ExampleFolder extends AsyncDisposable {
	readonly path: string;
	/** A text of the documentation as it has to be here. */
	translate(text: string): string;
	/** Starts a command line, `npx mqtt3-binding …` as well. */
	start(commandLine: string): Program;
}

/** Copies the examples. Nothing is fetched: the package is linked, and `npx` looks nowhere else. */
export async function copyExamples(): Promise<ExampleFolder> {
	const folder = await tempFolder({ "package.json": '{"type":"module"}' });
	const { path } = folder;
	const ports = new Map<string, string>();
	for (const port of USUAL_PORTS) ports.set(port, String(await freePort()));
	const translate = (text: string) => text.replace(/\b(?:1883|3000|3500)\b/g, (port) => ports.get(port) ?? port);

	await cp(join(ROOT, "examples"), join(path, "examples"), { recursive: true });
	for (const name of await readdir(join(path, "examples"), { recursive: true })) {
		const file = join(path, "examples", name);
		if ((await stat(file)).isFile()) await writeFile(file, translate(await readFile(file, "utf8")));
	}
	await mkdir(join(path, "node_modules"));
	await symlink(ROOT, join(path, "node_modules", "mqtt3-binding"), "dir");
	// What an example has besides the package, its user installs.
	for (const name of ["@dapr", "@types"]) {
		await symlink(join(ROOT, "node_modules", name), join(path, "node_modules", name), "dir");
	}
	await mkdir(join(path, "bin"));
	await writeFile(join(path, "bin", "npx"), NPX, { mode: 0o755 });

	// The sidecar listens on the usual port unless it is told otherwise, which its users need not.
	const env = { PATH: `${join(path, "bin")}${delimiter}${process.env.PATH}`, DAPR_COMPONENTS_SOCKETS_FOLDER: path };
	return {
		path,
		translate,
		start(commandLine) {
			const line = commandLine.includes("mqtt3-binding run")
				? commandLine.replace("mqtt3-binding run", "mqtt3-binding run --dapr-http-port 3500")
				: commandLine;
			return startProgram("bash", ["-c", `exec ${translate(line)}`], { name: commandLine, cwd: path, env });
		},
		[Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
	};
}

const NPX = `#!/usr/bin/env bash
package=$1
shift
[ "$package" = tsc ] && exec node "${join(ROOT, "node_modules", "typescript", "bin", "tsc")}" "$@"
exec node "node_modules/$package/dist/cli/main.js" "$@"
`;
