/** Broken promises: the first ones in words, all of them counted. */
export class Violations {
	readonly first: string[] = [];
	count = 0;

	add(what: string): void {
		this.count++;
		if (this.first.length < 30) this.first.push(what);
	}
}
