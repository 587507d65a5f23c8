import { defineConfig } from "vitest/config";

/** In every project: files run in processes of their own, and what they leave open fails them. */
const common = { pool: "forks", setupFiles: "test/support/leak-check.ts" } as const;

export default defineConfig({
	test: {
		globalSetup: "test/support/global-setup.ts",
		maxWorkers: 2,
		teardownTimeout: 5_000,
		reporters: process.env.CI === "true" ? ["default"] : ["dot"],
		projects: [
			{ test: { ...common, name: "unit", include: ["src/**/*.test.ts"], testTimeout: 30_000 } },
			{
				test: {
					...common,
					name: "programs",
					include: ["test/**/*.test.ts"],
					// Those have a run of their own: npm run test:faults.
					exclude: ["**/node_modules/**", "test/faults/!(support)/**"],
					globalSetup: "test/support/build-setup.ts",
					testTimeout: 30_000,
					hookTimeout: 60_000,
				},
			},
		],
	},
});
