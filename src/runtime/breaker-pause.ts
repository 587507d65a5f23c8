import type { InputBinding } from "../bindings/binding.js";
import type { CircuitBreaker } from "../resiliency/circuit-breaker.js";

/**
 * Makes what is to be called when a breaker let no delivery of this binding through: pauses the binding until the breaker may let something
 * through again. `mayResume`: nothing else keeps it paused.
 */
export function breakerPause(
	binding: Pick<InputBinding, "pause" | "resume">,
	mayResume: () => boolean,
): (breaker: CircuitBreaker) => void {
	let isHeld = false;
	return (breaker) => {
		binding.pause(`circuit breaker ${JSON.stringify(breaker.settings.name)} is open, as the app refused or broke`);
		if (isHeld) return;
		isHeld = true;
		const goOn = () => {
			isHeld = false;
			clearTimeout(timer);
			stopListening();
			if (mayResume()) binding.resume();
		};
		// Reading it may change the breaker's state: nobody listens yet.
		const waitMs = breaker.closedToCallsForMs;
		const stopListening = breaker.onChange(goOn);
		// A timer drops fractions, and would come too early.
		const timer = setTimeout(goOn, Math.ceil(waitMs));
		timer.unref();
	};
}
