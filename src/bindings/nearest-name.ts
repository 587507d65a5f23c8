/**
 * The known name that takes the fewest changes to get from `name`, without regard to case; undefined when none is known that takes
 * at most `maxChanges` (default: any number).
 */
export function nearestName(
	name: string,
	known: readonly string[],
	maxChanges = Number.POSITIVE_INFINITY,
): string | undefined {
	// No field's name is longer; more characters only cost time.
	const wanted = name.slice(0, 64).toLowerCase();
	let best: string | undefined;
	let bestDistance = maxChanges;
	for (const candidate of known) {
		const distance = editDistance(wanted, candidate.toLowerCase());
		if (distance < bestDistance || (best === undefined && distance === bestDistance)) {
			best = candidate;
			bestDistance = distance;
		}
	}
	return best;
}

/** How many characters must be inserted, removed or replaced. */
function editDistance(from: string, to: string): number {
	let row = Array.from({ length: to.length + 1 }, (_, index) => index);
	for (const [index, character] of [...from].entries()) {
		const next = [index + 1];
		for (let column = 1; column <= to.length; column++) {
			const replaced = row[column - 1]! + (character === to[column - 1] ? 0 : 1);
			next.push(Math.min(replaced, row[column]! + 1, next[column - 1]! + 1));
		}
		row = next;
	}
	return row[to.length]!;
}
