import { execFile } from "node:child_process";
import { describe, expect, test } from "vitest";

describe("standard output", () => {
	const [LOG, STREAM] = ["run-logger", "descriptor-stream"].map(
		(name) => new URL(`../../dist/cli/${name}.js`, import.meta.url).href,
	);

	function run(code: string, onStart: (child: ReturnType<typeof execFile>) => void = () => undefined) {
		const script = `import { createRunLog } from ${JSON.stringify(LOG)};
			import { standardStream } from ${JSON.stringify(STREAM)};
			const log = createRunLog({ appId: "a", logLevel: "info", logAsJson: true }, standardStream(process.stdout));
			const { logger } = log; process.on("exit", () => log.flush()); ${code}`;
		return new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
			const child = execFile(process.execPath, ["--input-type=module", "-e", script], (error, stdout, stderr) =>
				resolve({ code: error?.code ?? 0, stdout, stderr }),
			);
			onStart(child);
		});
	}

	test("what was logged is written before the process ends, however it ends", async () => {
		const { code, stdout } = await run(
			'for (let i = 0; i < 100; i++) logger.info("x"); logger.fatal("bug"); process.exit(70);',
		);
		expect([code, stdout.trim().split("\n").length]).toEqual([70, 101]);
	});

	test("a reader that goes away ends nothing", async () => {
		const { code, stderr } = await run(
			'setInterval(() => logger.info("x".repeat(1000)), 1); setTimeout(() => { console.error("alive"); process.exit(0); }, 400);',
			(child) => child.stdout?.once("data", () => child.stdout?.destroy()),
		);
		expect([code, stderr]).toEqual([0, "alive\n"]);
	});
});
