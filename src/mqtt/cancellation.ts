/**
 * What tells a publish that its caller does not want it any more. An AbortSignal is one; it costs more than the publish where there is one
 * for each.
 */
export interface Cancellation {
	readonly aborted: boolean;
	addEventListener(type: "abort", listener: () => void, options: { readonly once: true }): void;
	removeEventListener(type: "abort", listener: () => void): void;
}
