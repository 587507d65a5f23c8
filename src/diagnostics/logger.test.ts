import { describe, expect, test } from "vitest";
import { MqttRefusedError } from "../errors.js";
import { createLogger, type LoggerOptions } from "./logger.js";

function logTo(options: Partial<LoggerOptions> = {}) {
	const lines: string[] = [];
	const destination = { write: (line: string) => void lines.push(line) };
	return {
		lines,
		logger: createLogger({ appId: "shop", instance: "host-1", version: "1.2.3", destination, ...options }),
	};
}

describe("JSON", () => {
	test("a line has daprd's members and those of the call", () => {
		const { lines, logger } = logTo({ json: true });
		logger.info("connected", { topic: "a/b", packetId: 7, absent: undefined });
		expect(lines).toEqual([expect.stringMatching(/^\{.*\}\n$/)]);
		expect(JSON.parse(lines[0] ?? "")).toEqual({
			time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
			level: "info",
			type: "log",
			scope: "mqtt3-binding",
			msg: "connected",
			instance: "host-1",
			ver: "1.2.3",
			app_id: "shop",
			topic: "a/b",
			packetId: 7,
		});
	});

	test("an error is its message and its code, without stack", () => {
		const { lines, logger } = logTo({ json: true });
		logger.error("refused", { error: new MqttRefusedError("not authorized", { returnCode: 5 }) });
		expect(JSON.parse(lines[0] ?? "")).toMatchObject({ error: "not authorized", errorCode: "ERR_MQTT_REFUSED" });
		expect(lines[0]).not.toContain("logger.test");
	});

	test("what could turn the text around or move a terminal's cursor is escaped", () => {
		const { lines, logger } = logTo({ json: true });
		logger.info("a\n\u001b[2J\u009b\u202e\u2028b");
		// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
		expect(lines[0]?.trimEnd()).toMatch(/^[^\u0000-\u001f\u007f-\u009f\u2028\u202e]*$/);
		expect(JSON.parse(lines[0] ?? "").msg).toBe("a\n\u001b[2J\u009b\u202e\u2028b");
	});
});

describe("text", () => {
	test("a line is daprd's text form, the levels of one width", () => {
		const { lines, logger } = logTo();
		logger.info("connected", { topic: "a/b", client: "x y" });
		logger.warn("slow");
		const time = /^time="[^"]+" /;
		expect(lines.map((line) => line.replace(time, ""))).toEqual([
			'level=info    msg="connected" topic=a/b client="x y" scope=mqtt3-binding app_id=shop instance=host-1 type=log ver=1.2.3\n',
			'level=warning msg="slow" scope=mqtt3-binding app_id=shop instance=host-1 type=log ver=1.2.3\n',
		]);
	});

	test("a topic can't write a line of its own", () => {
		const { lines, logger } = logTo();
		logger.info("x", { topic: 'a\r\ntime="now" level=error msg="\u001b[31m\u202eforged"', 'k="\n': "" });
		expect(lines).toHaveLength(1);
		expect(lines[0]).toContain(
			String.raw`topic="a\r\ntime=\"now\" level=error msg=\"\u001b[31m\u202eforged\"" "k=\"\n"="" scope=`,
		);
	});
});

test("levels below the chosen one are not written", () => {
	const { lines, logger } = logTo({ json: true, level: "warn" });
	for (const level of ["debug", "info", "warn", "error", "fatal"] as const) logger[level](level);
	expect(lines.map((line) => JSON.parse(line).level)).toEqual(["warning", "error", "fatal"]);
	expect([logger.isEnabled("info"), logger.isEnabled("warn")]).toEqual([false, true]);
});

test("a very long value is cut, and members that name a secret are never written", () => {
	const { lines, logger } = logTo({ json: true });
	logger.info("x", {
		topic: "t".repeat(65_535),
		password: "hunter2",
		clientKeyPassphrase: "hunter2",
		apiToken: "hunter2",
	});
	expect(lines[0]?.length).toBeLessThan(4_096);
	expect(lines[0]).toContain("(65535 characters)");
	expect(lines[0]).not.toContain("hunter2");
});
