// Loaded into a sidecar under test before anything else (node --import). Does to its process what the signal asks for.
import { readFileSync } from "node:fs";

const RealDate = Date;
let shiftMs = 0;

globalThis.Date = class extends RealDate {
	constructor(...args) {
		if (args.length === 0) super(RealDate.now() + shiftMs);
		else super(...args);
	}

	static now() {
		return RealDate.now() + shiftMs;
	}
};

/** What to do stands in a file: `shift N`, the wall clock jumps by N milliseconds; `block N`, nothing happens for N milliseconds. */
function obey() {
	const [order, value] = readFileSync(process.env.ORDERS, "utf8").split(" ");
	if (order === "shift") shiftMs = Number(value);
	else for (const end = performance.now() + Number(value); performance.now() < end; );
}

process.on("SIGUSR2", obey);
if (process.env.ORDERS_AT_START) obey();
