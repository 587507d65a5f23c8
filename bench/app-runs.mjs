// What both apps of the bench tell their parent: when the first and the last message of a run came.

/** Returns what to call for every message. */
export function countRuns() {
	let seen = 0;
	let run = { id: 0, count: 0 };
	let firstAt = 0;
	process.on("message", (message) => {
		seen = 0;
		run = message;
		process.send({ run: run.id, ready: true });
	});
	return () => {
		if (seen++ === 0) {
			firstAt = Date.now();
			process.send({ run: run.id, firstAt });
		}
		if (seen === run.count) process.send({ run: run.id, firstAt, lastAt: Date.now() });
	};
}
