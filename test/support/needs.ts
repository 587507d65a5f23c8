import { spawnSync } from "node:child_process";
import { findProgram } from "./find-program.js";

/** A program that some tests need and that not every machine has. */
export interface Need {
	readonly program: string;
	/** Arguments with which the program must end with 0: it is there, and this user may use it. Absent: to be there is enough. */
	readonly trial?: readonly string[];
	/** How to get it, for the line that says what was left out. */
	readonly remedy: string;
	/** With CI=true its absence fails the run. */
	readonly required: boolean;
}

/** All there is to need. */
export const needs = {
	mosquitto: {
		program: "mosquitto",
		remedy: "install mosquitto (Debian: apt-get install mosquitto; macOS: brew install mosquitto)",
		required: true,
	},
	daprd: {
		program: "daprd",
		remedy: "put Dapr's daprd on the PATH (https://github.com/dapr/dapr/releases)",
		required: false,
	},
	vault: {
		program: "vault",
		remedy: "put HashiCorp's vault on the PATH (https://developer.hashicorp.com/vault/install)",
		required: false,
	},
	mount: {
		program: "unshare",
		trial: ["--mount", "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/mnt"],
		remedy: "run as root on Linux, with util-linux and mount (Debian: apt-get install util-linux mount)",
		required: true,
	},
	prlimit: {
		program: "prlimit",
		trial: ["--nofile=64", "true"],
		remedy: "install util-linux (Debian: apt-get install util-linux)",
		required: true,
	},
	bash: {
		program: "bash",
		remedy: "install bash (Debian: apt-get install bash)",
		required: true,
	},
} as const satisfies Record<string, Need>;

export type NeedName = keyof typeof needs;

/** What becomes of tests with that need on this machine: they run, are left out with a note, or fail. */
export function verdictOn(need: Need, ci: boolean, find = findProgram): "run" | "leave out" | "fail" {
	const program = find(need.program);
	if (program !== undefined && (need.trial === undefined || spawnSync(program, need.trial).status === 0)) return "run";
	return need.required && ci ? "fail" : "leave out";
}

/** One line for each need that was missing: what was left out, and how to get it. */
export function leftOutLines(leftOut: readonly { readonly need: string; readonly suite: string }[]): string[] {
	return Object.entries(needs).flatMap(([name, { program, remedy }]) => {
		const suites = leftOut.filter(({ need }) => need === name).map(({ suite }) => `"${suite}"`);
		if (suites.length === 0) return [];
		return [`left out, as ${program} is missing: ${suites.join(", ")}; to run them, ${remedy}`];
	});
}
