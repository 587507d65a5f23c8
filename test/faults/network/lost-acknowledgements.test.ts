import { fault } from "../support/fault.js";
import { startFaultRun } from "../support/fault-run.js";

fault(
	{
		rows: ["F-09"],
		injected:
			"from the 50th PUBACK of a connection on the proxy swallows what the sidecar acknowledges, and resets the connection 15 PUBACKs later; three times",
	},
	"a partition during our PUBACKs: all of it comes again, and no more than was in flight",
	async ({ seen }) => {
		await using run = await startFaultRun({ seed: 9 });
		run.publisher.burst(1_000);
		for (let partition = 0; partition < 3; partition++) {
			let count = 0;
			let isOver = false;
			await new Promise<void>((resolve) => {
				void run.proxy.on("from client", "puback", () => !isOver && ++count >= 50, {
					packet: "swallowed",
					after: (link) => {
						if (count < 65) return;
						isOver = true;
						link.reset();
						resolve();
					},
				});
			});
		}
		seen(await run.verify({ messages: 1_000, faults: 48 }));
	},
	60_000,
);
