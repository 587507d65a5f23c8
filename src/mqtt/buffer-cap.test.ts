import { describe, expect, it } from "vitest";
import { BufferCap } from "./buffer-cap.js";

describe("BufferCap", () => {
	it("is over when it holds more than it may, not when it is full", () => {
		const cap = new BufferCap(100);
		cap.add(100);
		expect(cap.isOver).toBe(false);
		cap.add(1);
		expect([cap.isOver, cap.bytes]).toEqual([true, 101]);
	});

	it("wants a resume once something was passed by and half of it is free", () => {
		const cap = new BufferCap(100);
		cap.add(101);
		cap.skip();
		cap.skipped();
		cap.remove(50);
		expect([cap.isSkipping, cap.wantsResume]).toEqual([true, false]);
		cap.remove(1);
		expect([cap.isSkipping, cap.wantsResume]).toEqual([true, true]);
	});

	it("passes nothing by any more when nothing was before there was room", () => {
		const cap = new BufferCap(100);
		cap.add(101);
		cap.skip();
		cap.remove(1);
		expect([cap.isSkipping, cap.wantsResume]).toEqual([false, false]);
	});

	it("begins anew with each connection", () => {
		const cap = new BufferCap(100);
		cap.add(101);
		cap.skip();
		cap.skipped();
		cap.clear();
		expect([cap.bytes, cap.isOver, cap.isSkipping, cap.wantsResume]).toEqual([0, false, false, false]);
	});
});
