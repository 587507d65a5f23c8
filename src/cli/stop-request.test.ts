import { describe, expect, it } from "vitest";
import { StopRequest } from "./stop-request.js";

describe("StopRequest", () => {
	it("the first who asks gives the reason", async () => {
		const stop = new StopRequest();
		expect(stop.ask("one")).toBe(true);
		expect(stop.ask("two")).toBe(false);
		expect(await stop.reason).toBe("one");
	});
});
