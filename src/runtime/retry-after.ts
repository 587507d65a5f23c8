/**
 * Reads the value of a `Retry-After` header, seconds or an HTTP date, as milliseconds from `now` on.
 * Undefined when it is neither; a date that has passed is 0.
 */
export function parseRetryAfter(value: string, now: number = Date.now()): number | undefined {
	const text = value.trim();
	if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
	if (!/^[A-Za-z]{3,9},? /.test(text)) return undefined;
	// The oldest of the three date forms names no zone; HTTP dates are always in GMT.
	const date = Date.parse(text.endsWith("GMT") ? text : `${text} GMT`);
	return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
