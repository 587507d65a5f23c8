import { defineConfig } from "vitest/config";

/** `npm run soak`: one test, which says by itself how it is getting on. */
export default defineConfig({
	test: {
		name: "soak",
		include: ["test/soak/soak.run.ts"],
		pool: "forks",
		globalSetup: ["test/support/global-setup.ts", "test/support/build-setup.ts"],
		disableConsoleIntercept: true,
		teardownTimeout: 5_000,
	},
});
