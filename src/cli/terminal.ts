import { closeSync, constants, openSync } from "node:fs";

/** Whether this process has a terminal that ends it by closing; false once that has closed, and where there are none. */
export function hasTerminal(): boolean {
	try {
		closeSync(openSync("/dev/tty", constants.O_RDONLY | constants.O_NOCTTY | constants.O_NONBLOCK));
		return true;
	} catch {
		return false;
	}
}
