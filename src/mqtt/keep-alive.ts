const LONGEST_GRACE_MS = 10_000;

/** What a KeepAlive needs to know and whom it calls. */
export interface KeepAliveOptions {
	/** The Keep Alive of the CONNECT packet, in milliseconds; more than 0. */
	readonly keepAliveMs: number;
	/** A PINGREQ is due, again where the last one still waits for a full socket. The peer's time runs whether it was written or not. */
	readonly sendPing: () => void;
	/** The peer is gone without a word. Called once; the KeepAlive has stopped. */
	readonly dead: () => void;
	/** A monotonic clock in milliseconds; default `performance.now`. */
	readonly now?: (() => number) | undefined;
	/** Calls back after a delay unless the returned function is called before; default `setTimeout`. */
	readonly setTimer?: ((callback: () => void, delayMs: number) => () => void) | undefined;
}

/**
 * Says when a PINGREQ is due and when the peer is dead.
 *
 * A PINGREQ is due when nothing was sent [MQTT-3.1.2-23], or nothing was received, for one Keep Alive. From then on the peer
 * is dead once no byte came for half a Keep Alive (at most 10 s) and a full socket took none of ours. Any byte is life, as
 * PINGRESP queues behind data.
 */
export class KeepAlive {
	readonly #keepAliveMs: number;
	readonly #graceMs: number;
	readonly #sendPing: () => void;
	readonly #dead: () => void;
	readonly #now: () => number;
	readonly #setTimer: (callback: () => void, delayMs: number) => () => void;
	#cancelTimer: (() => void) | undefined;
	#isRunning = false;
	#isSuspended = false;
	#isAwaiting = false;
	#hasLookedAgain = false;
	#sentAt = 0;
	#receivedAt = 0;
	/** While awaiting: since when there has been no sign of life. */
	#silentSince = 0;

	constructor(options: KeepAliveOptions) {
		this.#keepAliveMs = options.keepAliveMs;
		this.#graceMs = Math.min(options.keepAliveMs / 2, LONGEST_GRACE_MS);
		this.#sendPing = options.sendPing;
		this.#dead = options.dead;
		this.#now = options.now ?? (() => performance.now());
		this.#setTimer = options.setTimer ?? startTimeout;
	}

	/** Begins, as if a byte had just been sent and received. */
	start(): void {
		this.#isRunning = true;
		this.#sentAt = this.#receivedAt = this.#now();
		this.#isAwaiting = false;
		this.#check();
	}

	/** Ends; nothing is called any more. Idempotent. */
	stop(): void {
		this.#isRunning = false;
		this.#cancelTimer?.();
		this.#cancelTimer = undefined;
	}

	/** Bytes were written. */
	sent(): void {
		this.#sentAt = this.#now();
	}

	/** Bytes came, whichever they were. */
	received(): void {
		this.#receivedAt = this.#now();
		this.#isAwaiting = false;
	}

	/**
	 * The socket, having been full, took bytes of ours.
	 * That it was full matters: into a socket with room one can write for minutes while the system keeps the bytes for a peer that
	 * is long gone; room in a full one appears only when the peer has confirmed bytes.
	 */
	progress(): void {
		this.#silentSince = this.#now();
	}

	/** We stop reading on purpose: PINGREQ still leaves in time, but the answer, which we would not see, is not waited for. */
	suspend(): void {
		this.#isSuspended = true;
	}

	/** We read again; an answer that is still missing has its full time from now. */
	resume(): void {
		if (!this.#isSuspended) return;
		this.#isSuspended = false;
		this.#silentSince = this.#now();
		if (this.#isRunning) this.#check();
	}

	#check(): void {
		const now = this.#now();
		const isSilent = now >= this.#deadAt();
		if (isSilent && this.#hasLookedAgain) {
			this.stop();
			this.#dead();
			return;
		}
		// Once more: after a standstill of the whole process timers run before the answer that lies in the socket is read.
		this.#hasLookedAgain = isSilent;
		if (now >= this.#pingAt()) this.#ping(now);
		if (this.#isRunning) this.#arm(isSilent ? 0 : Math.min(this.#pingAt(), this.#deadAt()) - now);
	}

	#ping(now: number): void {
		// Counted from now, written or not: a PINGREQ that cannot leave is no reason to wait longer.
		if (!this.#isAwaiting) this.#silentSince = now;
		this.#isAwaiting = true;
		this.#sentAt = now;
		this.#sendPing();
	}

	#pingAt(): number {
		const isSilenceKnown = this.#isAwaiting || this.#isSuspended;
		return (isSilenceKnown ? this.#sentAt : Math.min(this.#sentAt, this.#receivedAt)) + this.#keepAliveMs;
	}

	#deadAt(): number {
		const isTimed = this.#isAwaiting && !this.#isSuspended;
		return isTimed ? this.#silentSince + this.#graceMs : Number.POSITIVE_INFINITY;
	}

	#arm(delayMs: number): void {
		this.#cancelTimer?.();
		this.#cancelTimer = this.#setTimer(() => this.#check(), Math.ceil(delayMs));
	}
}

function startTimeout(callback: () => void, delayMs: number): () => void {
	const timer = setTimeout(callback, delayMs);
	return () => clearTimeout(timer);
}
