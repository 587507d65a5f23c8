// What every measured child process reports: one line of JSON on stdout.

/** Starts the clock; the function it returns stops it and prints messages, seconds, CPU and memory. */
export function report() {
	const cpu = process.cpuUsage();
	const start = performance.now();
	return (messages) => {
		const seconds = (performance.now() - start) / 1_000;
		const { user, system } = process.cpuUsage(cpu);
		console.log(
			JSON.stringify({
				messages,
				seconds,
				cpuUs: (user + system) / messages,
				rssMb: process.memoryUsage.rss() / 2 ** 20,
			}),
		);
	};
}
