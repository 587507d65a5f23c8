import { describe, expect, it } from "vitest";
import { MqttProtocolError } from "../errors.js";
import type { Subscription } from "./packet.js";
import { Subscriptions } from "./subscriptions.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const TWO: readonly Subscription[] = [
	{ filter: "a", qos: 1 },
	{ filter: "b", qos: 1 },
];

/** Subscriptions on a clock that the test moves, with a broker that grants what it is told. */
function setup(wanted: readonly Subscription[] = TWO) {
	const subscriptions = new Subscriptions(wanted);
	const clock = { now: 0 };
	/** The filters of the SUBSCRIBE that leaves now, answered with `codes`; undefined when none leaves. */
	const exchange = (...codes: readonly number[]) => {
		const request = subscriptions.take(clock.now);
		if (request === undefined) return undefined;
		const filters = request.subscriptions.map(({ filter }) => filter).join(" ");
		const granted = codes.length > 0 ? codes : request.subscriptions.map(({ qos }) => qos);
		subscriptions.answered(request.packetId, granted, clock.now);
		return filters;
	};
	const connect = (sessionPresent: boolean) => {
		subscriptions.connectWritten();
		subscriptions.connected(sessionPresent, clock.now);
	};
	const reconnect = (sessionPresent = true) => {
		subscriptions.disconnected();
		connect(sessionPresent);
	};
	return { subscriptions, clock, exchange, connect, reconnect };
}

/** Subscribed since time 0; the first hour of proof is over by `afterMs`. */
function proven(afterMs: number) {
	const parts = setup();
	parts.subscriptions.request();
	parts.connect(false);
	parts.exchange();
	parts.clock.now = afterMs;
	return parts;
}

describe("the first SUBSCRIBE", () => {
	it("waits until somebody reads", () => {
		const { subscriptions, connect, exchange } = setup();
		connect(false);
		expect([exchange(), subscriptions.isRequested]).toEqual([undefined, false]);
		expect(subscriptions.request()).toBe(true);
		expect([exchange(), exchange(), subscriptions.isComplete]).toEqual(["a b", undefined, true]);
	});

	it("follows CONNACK where somebody read before, with Session Present as well", () => {
		const { subscriptions, connect, exchange } = setup();
		subscriptions.request();
		connect(true);
		expect(exchange()).toBe("a b");
	});

	it("is asked for once; without filters it never is", () => {
		const { subscriptions } = setup();
		expect([subscriptions.request(), subscriptions.request()]).toEqual([true, false]);
		expect(setup([]).subscriptions.request()).toBe(false);
	});

	it("[MQTT-2.3.1-2] has an identifier that publishes never use, and a new one each time", () => {
		const { subscriptions, connect, reconnect, clock } = setup();
		subscriptions.request();
		const ids: number[] = [];
		connect(false);
		for (let i = 0; i < 40; i++) {
			ids.push(subscriptions.take(clock.now)!.packetId);
			reconnect(false);
		}
		expect([Math.min(...ids), Math.max(...ids)]).toEqual([65_520, 65_535]);
		expect(ids[0]).not.toBe(ids[1]);
	});

	it("is followed by no other while it is unanswered", () => {
		const { subscriptions, connect, clock } = setup();
		subscriptions.request();
		connect(false);
		clock.now = 5;
		subscriptions.take(clock.now);
		expect([subscriptions.pendingSince, subscriptions.take(HOUR)]).toEqual([5, undefined]);
	});
});

describe("SUBSCRIBE follows a later CONNACK", () => {
	it.each<[string, () => ReturnType<typeof setup>, string | undefined]>([
		[
			"when the broker has no session",
			() => {
				const parts = proven(2 * HOUR);
				parts.reconnect(false);
				return parts;
			},
			"a b",
		],
		[
			"within an hour of the SUBACKs, though the session is resumed",
			() => {
				const parts = proven(HOUR);
				parts.reconnect();
				return parts;
			},
			"a b",
		],
		[
			"never again after an hour of a session that was resumed ever since",
			() => {
				const parts = proven(HOUR + 1);
				parts.reconnect();
				return parts;
			},
			undefined,
		],
		[
			"when the session was lost within that hour",
			() => {
				const parts = proven(30 * MINUTE);
				parts.reconnect(false);
				parts.exchange();
				parts.clock.now += 45 * MINUTE;
				parts.reconnect();
				return parts;
			},
			"a b",
		],
		[
			"when a CONNECT was written since whose CONNACK we did not read",
			() => {
				const parts = proven(2 * HOUR);
				parts.subscriptions.disconnected();
				parts.subscriptions.connectWritten();
				parts.connect(true);
				return parts;
			},
			"a b",
		],
		[
			"when the SUBACK never came",
			() => {
				const parts = setup();
				parts.subscriptions.request();
				parts.connect(false);
				parts.subscriptions.take(0);
				parts.clock.now = 2 * HOUR;
				parts.reconnect();
				return parts;
			},
			"a b",
		],
		[
			"when one of the filters was granted less than an hour ago, though the others were long before",
			() => {
				const parts = setup();
				parts.subscriptions.request();
				parts.connect(false);
				parts.exchange(1, 0x80);
				parts.clock.now = 50 * MINUTE;
				expect(parts.exchange(1)).toBe("b");
				parts.clock.now = 80 * MINUTE;
				parts.reconnect();
				return parts;
			},
			"a b",
		],
	])("%s", (_, act, expected) => {
		expect(act().exchange()).toBe(expected);
	});

	it("again after an unread CONNACK, until a new hour of proof is over", () => {
		const { subscriptions, clock, connect, exchange, reconnect } = proven(2 * HOUR);
		subscriptions.disconnected();
		subscriptions.connectWritten();
		connect(true);
		expect(exchange()).toBe("a b");
		clock.now += HOUR;
		reconnect();
		expect(exchange()).toBe("a b");
		clock.now += 1;
		reconnect();
		expect(exchange()).toBeUndefined();
	});
});

describe("[MQTT-3.8.4-5] a filter that the broker refused", () => {
	it("is asked for again, alone, with a slow back-off that grows", () => {
		const { subscriptions, clock, connect, exchange } = setup();
		subscriptions.request();
		connect(false);
		expect(exchange(1, 0x80)).toBe("a b");
		const delays: number[] = [];
		for (let i = 0; i < 8; i++) {
			const from = clock.now;
			while (exchange(0x80) === undefined) clock.now += 100;
			delays.push(clock.now - from);
		}
		for (const [index, delay] of delays.entries()) {
			const step = Math.min(10_000 * 2 ** index, 300_000);
			expect(delay).toBeGreaterThanOrEqual(step / 4);
			expect(delay).toBeLessThanOrEqual(step + 100);
		}
		clock.now += 300_000;
		expect([exchange(1), subscriptions.problems()]).toEqual(["b", []]);
		clock.now += HOUR;
		expect(exchange()).toBeUndefined();
	});

	it("is asked for again on the next connection too when the session is trusted", () => {
		const { subscriptions, clock, connect, exchange, reconnect } = setup();
		subscriptions.request();
		connect(false);
		exchange(1, 0x80);
		for (; clock.now < 2 * HOUR; clock.now += 5 * MINUTE) exchange(0x80);
		reconnect();
		expect(exchange()).toBeUndefined();
		clock.now += 5 * MINUTE;
		expect(exchange(1)).toBe("b");
	});

	it("is not asked for while there is no connection", () => {
		const { subscriptions, clock, connect, exchange } = setup();
		subscriptions.request();
		connect(false);
		exchange(0x80, 0x80);
		subscriptions.disconnected();
		clock.now = HOUR;
		expect(exchange()).toBeUndefined();
	});
});

describe("[MQTT-3.8.4-6] what was granted", () => {
	it.each([
		["as asked is no problem", 1, 1, []],
		["with QoS 0 where more was asked gives no guarantee", 1, 0, [{ granted: 0, asked: 1, blocking: true }]],
		["not at all", 0, 0x80, [{ granted: 0x80, asked: 0, blocking: true }]],
		["with QoS 1 where 2 was asked is worth a warning", 2, 1, [{ granted: 1, asked: 2, blocking: false }]],
		["with QoS 0 where 0 was asked is no problem", 0, 0, []],
	] as const)("%s", (_, asked, granted, problems) => {
		const { subscriptions, connect, exchange } = setup([{ filter: "a", qos: asked }]);
		subscriptions.request();
		connect(false);
		exchange(granted);
		expect(subscriptions.problems()).toEqual(problems.map((problem) => ({ filter: "a", ...problem })));
		expect(subscriptions.isComplete).toBe(true);
	});

	it("with QoS 1 where 2 was asked is not asked for again; with QoS 0 it is", () => {
		const { subscriptions, clock, connect, exchange } = setup([
			{ filter: "a", qos: 2 },
			{ filter: "b", qos: 2 },
		]);
		subscriptions.request();
		connect(false);
		exchange(1, 0);
		clock.now = HOUR;
		expect(exchange()).toBe("b");
	});

	it("is forgotten with the session", () => {
		const { subscriptions, connect, exchange, reconnect } = setup();
		subscriptions.request();
		connect(false);
		exchange(1, 0x80);
		reconnect(false);
		expect([subscriptions.isComplete, subscriptions.problems()]).toEqual([false, []]);
	});
});

describe("a SUBACK closes the connection", () => {
	it.each([
		["[MQTT-3.8.4-2] for an identifier of no SUBSCRIBE of ours", 1, [1, 1], "MQTT-3.8.4-2"],
		["[MQTT-3.8.4-5] with fewer return codes than filters", 0, [1], "MQTT-3.8.4-5"],
		["[MQTT-3.8.4-5] with more return codes than filters", 0, [1, 1, 1], "MQTT-3.8.4-5"],
		["[MQTT-3.8.4-6] with more than was asked for", 0, [1, 2], "MQTT-3.8.4-6"],
	])("%s", (_, offset, codes, clause) => {
		const { subscriptions, connect } = setup();
		subscriptions.request();
		connect(false);
		const { packetId } = subscriptions.take(0)!;
		expect(clauseOf(() => subscriptions.answered(packetId + offset, codes, 0))).toBe(clause);
	});

	it("[MQTT-3.8.4-2] when no SUBSCRIBE is unanswered, or it was that of a connection that is gone", () => {
		const { subscriptions, connect, reconnect, exchange } = setup();
		subscriptions.request();
		connect(false);
		const { packetId } = subscriptions.take(0)!;
		reconnect(false);
		expect(clauseOf(() => subscriptions.answered(packetId, [1, 1], 0))).toBe("MQTT-3.8.4-2");
		exchange();
		expect(clauseOf(() => subscriptions.answered(packetId + 1, [1, 1], 0))).toBe("MQTT-3.8.4-2");
	});
});

function clauseOf(act: () => void): string {
	try {
		act();
	} catch (error) {
		if (error instanceof MqttProtocolError) return error.clause;
		throw error;
	}
	return "none";
}
