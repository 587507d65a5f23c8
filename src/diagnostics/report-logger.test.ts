import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Report } from "../bindings/binding.js";
import { createLogger } from "./logger.js";
import { reportLogger } from "./report-logger.js";

beforeEach(() => {
	vi.useFakeTimers();
});
afterEach(() => {
	vi.useRealTimers();
});

function start(level: "debug" | "info" = "info") {
	const lines: Record<string, unknown>[] = [];
	const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
	const log = reportLogger(createLogger({ appId: "a", instance: "i", version: "1", json: true, level, destination }));
	return { lines, log };
}

function report(code: string, message = code): Report {
	return { level: "warn", code, message };
}

test("a report is one line with its code, component, details and error", () => {
	const { lines, log } = start();
	log("orders", { ...report("offline", "lost the broker"), details: { attempt: 3 }, error: new Error("ECONNRESET") });
	expect(lines).toMatchObject([
		{ level: "warning", msg: "lost the broker", code: "offline", component: "orders", attempt: 3, error: "ECONNRESET" },
	]);
	expect(lines[0]).not.toHaveProperty("suppressed");
});

test("an error whose message is in the line already adds its code alone", () => {
	const { lines, log } = start();
	const error = Object.assign(new Error("lost the broker"), { code: "ERR_MQTT_CONNECTION" });
	log("orders", { ...report("offline", "lost the broker; next attempt in 5 ms"), error });
	expect(lines[0]).toMatchObject({ errorCode: "ERR_MQTT_CONNECTION" });
	expect(lines[0]).not.toHaveProperty("error");
});

test("of one code and component at most one line a second is written, and every report is accounted for", () => {
	const { lines, log } = start();
	for (let i = 1; i <= 250; i++) {
		log("orders", report("refused", `message ${i}`));
		vi.advanceTimersByTime(10);
	}
	vi.advanceTimersByTime(5_000);
	expect(lines.map(({ msg, suppressed }) => [msg, suppressed])).toEqual([
		["message 1", undefined],
		["message 100", 98],
		["message 200", 99],
		["message 250", 49],
	]);
});

test("other codes and other components have lines of their own", () => {
	const { lines, log } = start();
	for (const component of ["orders", "alarms", undefined]) {
		log(component, report("offline"));
		log(component, report("refused"));
		log(component, report("refused"));
	}
	expect(lines).toHaveLength(6);
});

test("what Init finds is written line by line", () => {
	const { lines, log } = start();
	for (const field of ["a", "b", "c"]) log("orders", report("component-warning", `unknown field ${field}`));
	expect(lines.map(({ msg }) => msg)).toEqual(["unknown field a", "unknown field b", "unknown field c"]);
	expect(vi.getTimerCount()).toBe(0);
});

test("after a quiet second the next report is written at once, and nothing is kept", () => {
	const { lines, log } = start();
	log("orders", report("offline"));
	vi.advanceTimersByTime(1_000);
	expect(vi.getTimerCount()).toBe(0);
	log("orders", report("offline"));
	expect(lines).toHaveLength(2);
});

test("a report below the log's level costs no timer", () => {
	const { lines, log } = start();
	log("orders", { ...report("detail"), level: "debug" });
	expect([lines, vi.getTimerCount()]).toEqual([[], 0]);
});
