import type { BrokerUrl } from "./broker-url.js";

/** After a loss the same broker is tried so often before the next. */
const TRIES_AFTER_A_LOSS = 3;

/** Which of several brokers the next attempt is for. Pure. */
export class BrokerList {
	readonly #urls: readonly BrokerUrl[];
	#index = 0;
	/** How many attempts the present one still has. */
	#left = 1;

	/** `urls`: at least one. */
	constructor(urls: readonly BrokerUrl[]) {
		this.#urls = urls;
	}

	/** The one that is connected, or that was tried last. */
	get present(): BrokerUrl {
		return this.#urls[this.#index]!;
	}

	/** An attempt begins: at this one. */
	next(): BrokerUrl {
		if (this.#left === 0) {
			this.#index = (this.#index + 1) % this.#urls.length;
			this.#left = 1;
		}
		this.#left--;
		return this.present;
	}

	/** The present one accepted. */
	accepted(): void {
		this.#left = TRIES_AFTER_A_LOSS;
	}
}
