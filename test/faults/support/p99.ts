/** What 99 of 100 calls of a well-behaved caller take at most, in milliseconds: the best of three rounds, as the machine has other work. */
export async function p99(call: () => Promise<void>, calls = 200): Promise<number> {
	const rounds: number[] = [];
	for (let round = 0; round < 3; round++) {
		const times: number[] = [];
		for (let n = 0; n < calls; n++) {
			const startedAt = performance.now();
			await call();
			times.push(performance.now() - startedAt);
		}
		rounds.push(times.sort((a, b) => a - b)[Math.floor(calls * 0.99)]!);
	}
	return Math.min(...rounds);
}
