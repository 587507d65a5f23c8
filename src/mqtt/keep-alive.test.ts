import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { KeepAlive } from "./keep-alive.js";

/** A KeepAlive of 30 s on a clock that the test moves. */
function setup(keepAliveMs = 30_000) {
	let now = 1_000_000;
	const timers = new Map<object, { at: number; callback: () => void }>();
	const calls: string[] = [];
	const origin = now;
	const note = (what: string) => calls.push(`${what} ${(now - origin) / 1_000}`);
	const keepAlive = new KeepAlive({
		keepAliveMs,
		now: () => now,
		setTimer(callback, delayMs) {
			const timer = {};
			timers.set(timer, { at: now + Math.max(delayMs, 1), callback });
			return () => timers.delete(timer);
		},
		sendPing: () => note("ping"),
		dead: () => note("dead"),
	});
	function advance(seconds: number): void {
		const end = now + seconds * 1_000;
		for (;;) {
			const [next] = [...timers].sort(([, a], [, b]) => a.at - b.at);
			if (next === undefined || next[1].at > end) break;
			timers.delete(next[0]);
			now = Math.max(now, next[1].at);
			next[1].callback();
		}
		now = end;
	}
	/** The process stands still: time goes by, timers run late. */
	function freeze(seconds: number): void {
		now += seconds * 1_000;
	}
	/** Every `everySeconds` for `seconds`, let time pass and then do it. */
	function repeat(seconds: number, everySeconds: number, action: () => void): void {
		for (let passed = 0; passed < seconds; passed += everySeconds) {
			advance(everySeconds);
			action();
		}
	}
	return { keepAlive, calls, advance, freeze, repeat, timers };
}

describe("a PINGREQ is due", () => {
	test("[MQTT-3.1.2-23] when nothing was sent for one Keep Alive, though bytes come all the time", () => {
		const { keepAlive, calls, repeat } = setup();
		keepAlive.start();
		repeat(65, 1, () => keepAlive.received());
		expect(calls).toEqual(["ping 30", "ping 60"]);
	});

	test("when nothing was received for one Keep Alive, though we write all the time", () => {
		const { keepAlive, calls, repeat } = setup();
		keepAlive.start();
		repeat(35, 1, () => keepAlive.sent());
		expect(calls).toEqual(["ping 30"]);
	});

	test("never while both directions are in use", () => {
		const { keepAlive, calls, repeat } = setup();
		keepAlive.start();
		repeat(300, 20, () => {
			keepAlive.sent();
			keepAlive.received();
		});
		expect(calls).toEqual([]);
	});

	test("[MQTT-3.1.2-23] never later than one Keep Alive after the last bytes, whenever those were", () => {
		const moments = fc.array(fc.integer({ min: 1, max: 29_000 }), { minLength: 1, maxLength: 30 });
		fc.assert(
			fc.property(moments, fc.infiniteStream(fc.boolean()), (waits, isPaused) => {
				const { keepAlive, calls, advance } = setup();
				let clock = 0;
				let lastSent = 0;
				keepAlive.start();
				for (const wait of waits) {
					const before = calls.length;
					advance(wait / 1_000);
					clock += wait;
					for (const call of calls.slice(before)) {
						if (call.startsWith("dead")) return;
						const at = Number(call.split(" ")[1]) * 1_000;
						expect(at - lastSent).toBeLessThanOrEqual(30_000);
						lastSent = at;
					}
					expect(clock - lastSent).toBeLessThanOrEqual(30_000);
					if (isPaused.next().value) keepAlive.suspend();
					else keepAlive.resume();
					keepAlive.received();
				}
			}),
		);
	});
});

describe("the peer is dead", () => {
	test("10 s after an unanswered PINGREQ", () => {
		const { keepAlive, calls, advance, timers } = setup();
		keepAlive.start();
		advance(120);
		expect(calls).toEqual(["ping 30", "dead 40.001"]);
		expect(timers.size).toBe(0);
	});

	test("half a Keep Alive after it, where that is less than 10 s", () => {
		const { keepAlive, calls, advance } = setup(4_000);
		keepAlive.start();
		advance(60);
		expect(calls).toEqual(["ping 4", "dead 6.001"]);
	});

	test("though we go on writing into a socket that has room", () => {
		const { keepAlive, calls, repeat } = setup();
		keepAlive.start();
		repeat(60, 1, () => keepAlive.sent());
		expect(calls).toEqual(["ping 30", "dead 40.001"]);
	});

	test("10 s after a full socket took our last bytes", () => {
		const { keepAlive, calls, advance, repeat } = setup();
		keepAlive.start();
		repeat(80, 4, () => keepAlive.progress());
		expect(calls).toEqual(["ping 30", "ping 60"]);
		advance(60);
		expect(calls).toEqual(["ping 30", "ping 60", "ping 90", "dead 90.001"]);
	});

	test("no later than one Keep Alive and the grace after its last byte", () => {
		const { keepAlive, calls, advance } = setup();
		keepAlive.start();
		advance(35);
		keepAlive.received();
		advance(120);
		expect(calls).toEqual(["ping 30", "ping 60", "dead 70.001"]);
	});
});

test("any byte answers a PINGREQ: on a slow link PINGRESP comes behind queued data", () => {
	const { keepAlive, calls, repeat } = setup();
	keepAlive.start();
	repeat(180, 9, () => keepAlive.received());
	expect(calls.filter((call) => call.startsWith("dead"))).toEqual([]);
});

test("[MQTT-3.1.2-23] while we do not read, PINGREQ leaves in time and its answer is not timed", () => {
	const { keepAlive, calls, advance } = setup();
	keepAlive.start();
	keepAlive.suspend();
	advance(100);
	expect(calls).toEqual(["ping 30", "ping 60", "ping 90"]);
});

test("while we do not read, that nothing comes is no reason for a PINGREQ", () => {
	const { keepAlive, calls, repeat } = setup();
	keepAlive.start();
	keepAlive.suspend();
	repeat(100, 1, () => keepAlive.sent());
	expect(calls).toEqual([]);
});

test("after we read again the answer has its full time", () => {
	const { keepAlive, calls, advance } = setup();
	keepAlive.start();
	keepAlive.suspend();
	advance(85);
	keepAlive.resume();
	advance(9);
	keepAlive.received();
	expect(calls).toEqual(["ping 30", "ping 60", "ping 90"]);
	keepAlive.suspend();
	advance(31);
	keepAlive.resume();
	advance(60);
	expect(calls).toEqual(["ping 30", "ping 60", "ping 90", "ping 120", "dead 135.001"]);
});

test("an answer that came while the whole process stood still is read before the peer is given up", () => {
	const { keepAlive, calls, advance, freeze } = setup();
	keepAlive.start();
	advance(31);
	freeze(120);
	advance(0);
	keepAlive.received();
	advance(9);
	expect(calls).toEqual(["ping 30", "ping 151"]);
});

test("a standstill before the PINGREQ gives the peer its full time after it", () => {
	const { keepAlive, calls, advance, freeze } = setup();
	keepAlive.start();
	freeze(120);
	advance(9);
	expect(calls).toEqual(["ping 120"]);
});

test("a PINGREQ that cannot leave, as the socket is full, is timed all the same", () => {
	const { keepAlive, calls, repeat } = setup();
	keepAlive.start();
	keepAlive.suspend();
	repeat(65, 1, () => {});
	keepAlive.resume();
	repeat(30, 1, () => {});
	expect(calls).toEqual(["ping 30", "ping 60", "dead 75.001"]);
});

test("nothing is called after stop(), not even when stopped by the PINGREQ itself", () => {
	const { keepAlive, calls, advance, timers } = setup();
	keepAlive.start();
	advance(31);
	keepAlive.stop();
	keepAlive.stop();
	keepAlive.resume();
	advance(100);
	expect(calls).toEqual(["ping 30"]);
	expect(timers.size).toBe(0);

	const pings: number[] = [];
	const stopsItself: KeepAlive = new KeepAlive({
		keepAliveMs: 10,
		now: () => 10 * (pings.length + 1) * 100,
		setTimer(callback, delayMs) {
			pings.push(delayMs);
			if (pings.length === 1) queueMicrotask(callback);
			return () => {};
		},
		sendPing: () => stopsItself.stop(),
		dead: () => pings.push(-1),
	});
	stopsItself.start();
	return Promise.resolve().then(() => expect(pings).toEqual([10]));
});

test("bytes do not touch the timer", () => {
	const { keepAlive, timers } = setup();
	keepAlive.start();
	const [timer] = timers.keys();
	for (let count = 0; count < 1_000; count++) {
		keepAlive.sent();
		keepAlive.received();
		keepAlive.progress();
	}
	expect([...timers.keys()]).toEqual([timer]);
	expect(timers.size).toBe(1);
});

test("with the real clock it finds a silent peer within one Keep Alive and a half", async () => {
	const startedAt = performance.now();
	let pings = 0;
	const diedAt = await new Promise<number>((resolve) => {
		const keepAlive = new KeepAlive({
			keepAliveMs: 20,
			sendPing: () => pings++,
			dead: () => resolve(performance.now()),
		});
		keepAlive.start();
	});
	// On a busy machine a second one may fall due before the first was given up.
	expect(pings).toBeGreaterThanOrEqual(1);
	expect(diedAt - startedAt).toBeGreaterThanOrEqual(29);
});
