import { expect, it } from "vitest";
import { CounterReports } from "./counter-reports.js";

const NONE = {
	copies: 0,
	adopted: 0,
	stale: 0,
	qos0Dropped: 0,
	skipped: 0,
	unread: 0,
	lostDropped: 0,
	unexpectedAnswers: 0,
};

it("a counter that has grown is reported once, with how much", () => {
	const reports = new CounterReports();
	expect(reports.look(NONE)).toEqual([]);
	const [first, ...others] = reports.look({ ...NONE, qos0Dropped: 3, copies: 9 });
	expect(first).toMatchObject({ level: "warn", code: "qos0-dropped", details: { count: 3 } });
	expect(first?.message).toMatch(/^3 QoS 0 messages dropped/);
	expect(others).toEqual([]);
	expect(reports.look({ ...NONE, qos0Dropped: 3 })).toEqual([]);
	expect(
		reports
			.look({ ...NONE, qos0Dropped: 4, stale: 2, unexpectedAnswers: 5 })
			.map(({ code, details }) => [code, details?.count]),
	).toEqual([
		["qos0-dropped", 1],
		["unexpected-answer", 5],
		["stale-acknowledgement", 2],
	]);
});
