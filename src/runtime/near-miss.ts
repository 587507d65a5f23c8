/** The known word that `word` was most likely meant to be: they differ in case, or in one place by at most two characters. */
export function nearMiss(word: string, known: readonly string[]): string | undefined {
	return known.find((candidate) => differsLittle(word.toLowerCase(), candidate.toLowerCase()));
}

function differsLittle(one: string, other: string): boolean {
	const shorter = Math.min(one.length, other.length);
	let start = 0;
	while (start < shorter && one[start] === other[start]) start++;
	let end = 0;
	while (end < shorter - start && one.at(-1 - end) === other.at(-1 - end)) end++;
	return Math.max(one.length, other.length) - start - end <= 2;
}
