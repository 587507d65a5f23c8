import { configDefaults, defineConfig } from "vitest/config";

/** What starts whole programs or waits for real time may take its time; the rest must not. */
const programs = ["test/**/*.test.ts"];

export default defineConfig({
	test: {
		globalSetup: "test/support/global-setup.ts",
		maxWorkers: 2,
		teardownTimeout: 5_000,
		reporters: process.env.CI === "true" ? ["default"] : ["dot"],
		projects: [
			{
				test: {
					name: "unit",
					include: ["src/**/*.test.ts"],
					setupFiles: "test/support/leak-check.ts",
					pool: "forks",
				},
			},
			{
				test: {
					name: "programs",
					include: programs,
					exclude: [...configDefaults.exclude],
					globalSetup: "test/support/build-setup.ts",
					setupFiles: "test/support/leak-check.ts",
					pool: "forks",
					testTimeout: 30_000,
					hookTimeout: 60_000,
				},
			},
		],
	},
});
