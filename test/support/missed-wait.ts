const missed = new WeakSet<Error>();

/** Marks the error of a wait whose time was over, and gives it back: it may say of a busy machine what it seems to say of us. */
export function missedWait<E extends Error>(error: E): E {
	missed.add(error);
	return error;
}

/** The error comes from a wait whose time was over. */
export function isMissedWait(error: unknown): boolean {
	return error instanceof Error && missed.has(error);
}
