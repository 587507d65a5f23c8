import { nearestName } from "../bindings/nearest-name.js";

/** What the placeholders stand for. */
export interface PlaceholderValues {
	readonly appId: string;
	/** Absent: `default`. */
	readonly namespace: string | undefined;
	/** The environment variable POD_NAME. */
	readonly podName: string | undefined;
	/** What the n-th `{uuid}` of the text stands for, from 0. */
	readonly uuid: (occurrence: number) => string;
}

/** A text whose placeholders are replaced. */
export interface FilledText {
	readonly text: string;
	/** It held `{uuid}`, so that it differs at every start. */
	readonly random: boolean;
	/** Placeholders that have no value, each once. */
	readonly missing: readonly string[];
	/** What looks like a placeholder but is not written like one, and so stays: what stands there and what was meant. */
	readonly misspelt: readonly { readonly written: string; readonly meant: string }[];
}

/** What differs in more characters may be anything. */
const MAX_SLIPS = 2;
const NAMES = ["{uuid}", "{appID}", "{podName}", "{namespace}"] as const;

/**
 * Replaces Dapr's placeholders: each `{uuid}` by a UUID of its own, `{appID}`, `{podName}`, and `{namespace}` by
 * `<namespace>.<app id>`. Names count exactly as written.
 */
export function fillPlaceholders(text: string, values: PlaceholderValues): FilledText {
	const missing = new Set<string>();
	const misspelt: { written: string; meant: string }[] = [];
	let uuids = 0;
	const filled = text.replace(/\{[a-z]{2,20}\}/gi, (written) => {
		switch (written) {
			case "{uuid}":
				return values.uuid(uuids++);
			case "{appID}":
				return values.appId;
			case "{namespace}":
				// dapr: pkg/runtime/meta/meta.go
				return `${values.namespace || "default"}.${values.appId}`;
			case "{podName}":
				if (!values.podName) missing.add(written);
				return values.podName ?? written;
			default: {
				const meant = nearestName(written, NAMES, MAX_SLIPS);
				if (meant !== undefined) misspelt.push({ written, meant });
				return written;
			}
		}
	});
	return { text: filled, random: uuids > 0, missing: [...missing], misspelt };
}
