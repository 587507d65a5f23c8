import { describe, expect, test } from "vitest";
import { baggageFault } from "./baggage.js";

describe("baggageFault", () => {
	test.each(["", "a=1", "a=1,b=2", " a = 1 ;p;q=2 , b=%20x ", "k=", "user=a!#$%25&'*+-./:<=>?@[]^_`{|}~"])(
		"%j is baggage",
		(header) => expect(baggageFault(header)).toBeUndefined(),
	);

	test.each([
		"a",
		"=1",
		"a b=1",
		"a=b c",
		'a="x"',
		"a=%zz",
		"a=ä",
		"a=1;=",
		`a=${"x".repeat(8_192)}`,
		Array.from({ length: 65 }, (_, i) => `k${i}=1`).join(),
	])("%j is none", (header) => {
		expect(baggageFault(header)).toEqual(expect.any(String));
	});
});
