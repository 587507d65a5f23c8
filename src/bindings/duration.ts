const MILLISECONDS = { ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;
const WRITTEN: readonly (keyof typeof MILLISECONDS)[] = ["h", "m", "s", "ms"];

/**
 * Reads a duration as Go writes it (`5s`, `1m30s`, `250ms`, `1.5h`); a bare number is seconds.
 * Returns milliseconds, or undefined for anything else: signs, blanks inside, parts of a millisecond.
 */
export function parseDuration(text: string): number | undefined {
	const trimmed = text.trim();
	if (/^\d+(\.\d+)?$/.test(trimmed)) return whole(Number(trimmed) * 1_000);
	const part = /(\d+(?:\.\d+)?)(ns|us|µs|μs|ms|s|m|h)/y;
	let total = 0;
	let end = 0;
	for (let match = part.exec(trimmed); match; match = part.exec(trimmed)) {
		total += Number(match[1]) * MILLISECONDS[match[2] as keyof typeof MILLISECONDS];
		end = part.lastIndex;
	}
	return end > 0 && end === trimmed.length ? whole(total) : undefined;
}

/** Writes milliseconds so that parseDuration reads them back: `1m30s`. */
export function formatDuration(milliseconds: number): string {
	let rest = milliseconds;
	let text = "";
	for (const unit of WRITTEN) {
		const count = Math.floor(rest / MILLISECONDS[unit]);
		rest -= count * MILLISECONDS[unit];
		if (count > 0) text += `${count}${unit}`;
	}
	return text || "0s";
}

// 1.1 × 1,000 is 1100.0000000000002 in binary floating point.
function whole(value: number): number | undefined {
	const rounded = Math.round(value);
	return Number.isSafeInteger(rounded) && Math.abs(value - rounded) < 1e-6 * Math.max(1, rounded) ? rounded : undefined;
}
