import { expect, test } from "vitest";
import { filtersToLeave } from "./filters-to-leave.js";
import { parseMqtt3Metadata } from "./mqtt3-metadata.js";

function settingsOf(more: Readonly<Record<string, string>>) {
	const properties = { url: "tcp://broker", consumerID: "c", topic: "new/#", ...more };
	return parseMqtt3Metadata({ name: "orders", properties }).settings;
}

test("what an input of the same session had and this one has not is left, beside what is named", () => {
	const before = [settingsOf({ topic: "old/#", topics: '["both"]', unsubscribe: '["older"]' })];
	expect(filtersToLeave(settingsOf({ topics: '["both"]', unsubscribe: '["named", "older"]' }), before)).toEqual([
		"named",
		"older",
		"old/#",
	]);
});

test.each([{ consumerID: "other" }, { url: "tcp://elsewhere" }, { splitConnections: "true" }])(
	"nothing of another session: %j",
	(more) => {
		expect(filtersToLeave(settingsOf({}), [settingsOf({ topic: "old/#", ...more })])).toEqual([]);
	},
);

test("of one of several brokers is enough; more than 1,024 are not left", () => {
	const before = settingsOf({ url: "tcp://other,tcp://broker", topic: "old/#" });
	expect(filtersToLeave(settingsOf({}), [before])).toEqual(["old/#"]);
	const many = Array.from({ length: 40 }, (_, reload) =>
		settingsOf({ topics: JSON.stringify(Array.from({ length: 50 }, (_topic, index) => `old/${reload}/${index}`)) }),
	);
	expect(filtersToLeave(settingsOf({}), many)).toHaveLength(1_024);
});
