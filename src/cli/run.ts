import { ConfigurationError } from "../errors.js";
import { runHelp } from "./run-flags.js";
import { readRunRequest } from "./run-options.js";
import type { Environment } from "./sidecar.js";
import { buildInfo, readVersion } from "./version.js";
import { waitForSidecar } from "./wait-for-sidecar.js";

/** The command `run`. Resolves with the exit code; rejects with the problems of flags, environment and components. */
export async function run(argv: readonly string[], env: Environment): Promise<number> {
	const request = readRunRequest(argv);
	switch (request.kind) {
		case "help":
			process.stdout.write(runHelp());
			return 0;
		case "version":
			process.stdout.write(`${readVersion()}\n`);
			return 0;
		case "build-info":
			process.stdout.write(`${buildInfo()}\n`);
			return 0;
		case "wait":
			// 0 in any case, as in daprd.
			if (!(await waitForSidecar(request.httpPort))) {
				process.stderr.write(`no sidecar answered on port ${request.httpPort} within a minute\n`);
			}
			return 0;
		case "run":
			refuseUnsafeEnvironment(env);
			// Only here, so that the other requests do not load all that a sidecar is made of.
			return await (await import("./run-sidecar.js")).runSidecar(request.options, env);
	}
}

/** Throws ConfigurationError for what would undo TLS behind everybody's back. */
function refuseUnsafeEnvironment(env: Environment): void {
	if (env.NODE_TLS_REJECT_UNAUTHORIZED !== "0") return;
	throw new ConfigurationError(
		"NODE_TLS_REJECT_UNAUTHORIZED=0 would switch off every certificate check of this process; unset it (for one broker there is insecureSkipVerify)",
		{ property: "NODE_TLS_REJECT_UNAUTHORIZED" },
	);
}
