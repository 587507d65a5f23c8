import { expect, it } from "vitest";
import { DrawnUuids } from "./drawn-uuids.js";

it("gives every component, field and occurrence one of its own, and keeps it", () => {
	const uuids = new DrawnUuids();
	const all = () =>
		["a", "b"].flatMap((name) =>
			["consumerID", "topic"].flatMap((field) => [0, 1].map((n) => uuids.get(name, field, n))),
		);
	const first = all();
	expect(new Set(first).size).toBe(8);
	expect(all()).toEqual(first);
	expect(uuids.get("a", "CONSUMERID", 0)).toBe(first[0]);
});

it("draws anew for a component that was gone", () => {
	const uuids = new DrawnUuids();
	const [a, b] = [uuids.get("a", "topic", 0), uuids.get("b", "topic", 0)];
	uuids.keepOnly(new Set(["b"]));
	expect(uuids.get("a", "topic", 0)).not.toBe(a);
	expect(uuids.get("b", "topic", 0)).toBe(b);
});
