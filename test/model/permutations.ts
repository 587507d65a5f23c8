/** Every order of the items. */
export function permutations<T>(items: readonly T[]): T[][] {
	if (items.length < 2) return [[...items]];
	return items.flatMap((first, index) =>
		permutations([...items.slice(0, index), ...items.slice(index + 1)]).map((rest) => [first, ...rest]),
	);
}
