const BYTES = {
	"": 1,
	k: 1e3,
	M: 1e6,
	G: 1e9,
	T: 1e12,
	Ki: 2 ** 10,
	Mi: 2 ** 20,
	Gi: 2 ** 30,
	Ti: 2 ** 40,
} as const;
const WRITTEN = ["Ti", "Gi", "Mi", "Ki"] as const;

/** Reads a size as Kubernetes writes quantities (`4Mi`, `1G`, `1.5Ki`, plain bytes). Returns bytes, or undefined for anything else. */
export function parseSize(text: string): number | undefined {
	const match = /^(\d+(?:\.\d+)?)(k|M|G|T|Ki|Mi|Gi|Ti|)$/.exec(text.trim());
	if (!match) return undefined;
	const bytes = Number(match[1]) * BYTES[match[2] as keyof typeof BYTES];
	const rounded = Math.round(bytes);
	// 1.1 × 1,000 is 1100.0000000000002 in binary floating point.
	return Number.isSafeInteger(rounded) && Math.abs(bytes - rounded) < 1e-6 ? rounded : undefined;
}

/** Writes bytes so that parseSize reads them back, in the largest binary unit that leaves no fraction: `4Mi`. */
export function formatSize(bytes: number): string {
	const unit = WRITTEN.find((candidate) => bytes > 0 && bytes % BYTES[candidate] === 0);
	return unit ? `${bytes / BYTES[unit]}${unit}` : String(bytes);
}
