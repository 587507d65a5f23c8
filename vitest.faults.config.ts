import { defineConfig } from "vitest/config";
import { FaultReporter } from "./test/faults/support/fault-reporter.js";

const { FAULTS_PARTIAL, FAULTS_WRITE } = process.env;

/** `npm run test:faults`: what attacks the promises. */
export default defineConfig({
	test: {
		name: "faults",
		include: ["test/faults/*/**/*.test.ts"],
		exclude: ["**/node_modules/**", "test/faults/support/**"],
		pool: "forks",
		// More than the two processors of CI: most of a test is waiting.
		maxWorkers: 3,
		setupFiles: "test/support/leak-check.ts",
		globalSetup: ["test/support/global-setup.ts", "test/support/build-setup.ts"],
		// A play may take half of it: see fault().
		testTimeout: 60_000,
		hookTimeout: 60_000,
		teardownTimeout: 5_000,
		reporters: [
			process.env.CI === "true" ? "default" : "dot",
			new FaultReporter({ partial: FAULTS_PARTIAL === "1", write: FAULTS_WRITE === "1" }),
		],
	},
});
