import { describe, expect, test } from "vitest";
import { checkHistories } from "./checker.js";
import type { Histories } from "./histories.js";
import { WrittenHistory } from "./written-history.js";

type Case = readonly [sentence: string, history: WrittenHistory, changes?: Partial<Histories>];

function begin(): WrittenHistory {
	return new WrittenHistory().fault().connect();
}

/** The invariants that it breaks. */
function broken(history: WrittenHistory, changes?: Partial<Histories>): string[] {
	return checkHistories(history.histories(changes), { messages: 0 }).map(({ invariant }) => invariant);
}

/** One message, from its publisher to its acknowledgement. */
function whole(history: WrittenHistory, id: string, packetId: number): WrittenHistory {
	return history.published(id).arrives(id, packetId).handled(id).acked(packetId);
}

const GOOD: readonly Case[] = [
	["messages one after the other", whole(whole(begin(), "a", 1), "b", 1)],
	["published before the subscription: not promised", new WrittenHistory().fault().published("a").connect()],
	[
		"sent again after a cut, accepted twice",
		begin()
			.published("a")
			.arrives("a", 1)
			.handled("a")
			.cut()
			.connect()
			.arrives("a", 1, { dup: true })
			.handled("a")
			.acked(1),
	],
	[
		"acknowledged just before the cut, and sent again",
		whole(begin(), "a", 1).cut().connect().arrives("a", 1, { dup: true }).handled("a").acked(1),
	],
	[
		"adopted: accepted before the cut, acknowledged after it",
		begin().published("a").arrives("a", 1).handled("a").cut().connect().arrives("a", 7, { dup: true }).acked(7),
	],
	["a copy on one connection", begin().arrives("a", 1).arrives("a", 1, { dup: true }).handled("a").acked(1)],
	["an identifier used again", begin().arrives("a", 1).handled("a").acked(1).arrives("b", 1).handled("b").acked(1)],
	[
		"a failed one is overtaken",
		begin().arrives("a", 1).arrives("b", 2).handled("a", 500).handled("b").acked(2).handled("a").acked(1),
	],
	[
		"one that is 10 s overdue is overtaken",
		begin().arrives("a", 1).arrives("b", 2).handled("b").wait(10_000).acked(2).handled("a").acked(1),
	],
	[
		"finished in another order, acknowledged in order",
		begin().arrives("a", 1).arrives("b", 2).handled("b").handled("a").acked(1).acked(2),
	],
	[
		"a dead letter",
		begin().published("a").arrives("a", 1).handled("a", 500).acked(1),
		{ disposed: [{ id: "a", at: 1 }] },
	],
	[
		"overtaken once a stop was asked for",
		begin().arrives("a", 1).arrives("b", 2).handled("b").acked(2),
		{ stops: [85] },
	],
	["create, acknowledged", begin().sends("c", 2).answered(2).created("c", "success")],
	["create, cut, sent again", begin().sends("c", 2).cut().connect().sends("c", 2).answered(2).created("c", "success")],
	["create unknown, seen a little later", begin().created("c", "outcome unknown").sends("c", 2)],
	["the app died with the message", begin().arrives("a", 1).handled("a").appDies().handled("a").acked(1)],
	["the broker was killed before it had saved it", begin().published("a").brokerKilled(1_000).cut().connect()],
	["the broker says that it dropped one", begin().published("a"), { brokerDropped: 1 }],
	[
		"in order for each topic",
		begin().arrives("a", 1).arrives("b", 2, { topic: "in/b" }).handled("b", 200, "in/b").handled("a"),
		{ ordering: "topic" },
	],
];

const BAD: readonly (readonly [invariant: string, ...Case])[] = [
	["I1", "acknowledged to its publisher, and never accepted", begin().published("a")],
	["I1", "refused for ever", begin().published("a").arrives("a", 1).handled("a", 500)],
	[
		"I1",
		"a broker's death does not excuse what it sent afterwards",
		begin().published("a").brokerKilled(1_000).cut().connect().arrives("a", 1),
	],
	[
		"I1",
		"a broker's death does not excuse what it had saved",
		begin().published("a").wait(5_000).brokerKilled(1_000).cut().connect(),
	],
	["I1", "a connection on which nobody subscribes", begin().cut().connect({ subscribes: false }).wait(6_000).cut()],
	["I2", "acknowledged before the app accepted", begin().arrives("a", 1).acked(1).handled("a")],
	["I2", "acknowledged although the app refused", begin().arrives("a", 1).handled("a", 500).acked(1)],
	["I2", "acknowledged although the app died first", begin().arrives("a", 1).hangs("a").appDies().acked(1)],
	[
		"I2",
		"an old acknowledgement meets another message of its identifier",
		begin().arrives("a", 1).handled("a").cut().connect().arrives("b", 1).acked(1).handled("b"),
	],
	[
		"I3",
		"acknowledged on a connection that did not bring it",
		begin().arrives("a", 1).handled("a").cut().connect().acked(1),
	],
	[
		"I3",
		"acknowledged though the proxy had swallowed it",
		begin().arrives("a", 1, { fate: "swallowed" }).handled("a").acked(1),
	],
	[
		"I4",
		"acknowledged in order of completion",
		begin().arrives("a", 1).arrives("b", 2).handled("b").acked(2).handled("a").acked(1),
	],
	[
		"I4",
		"a failed one is overtaken although the order is strict",
		begin().arrives("a", 1).arrives("b", 2).handled("a", 500).handled("b").acked(2),
		{ ackOrder: "strict" },
	],
	[
		"I5",
		"acknowledged twice after a copy",
		begin().arrives("a", 1).arrives("a", 1, { dup: true }).handled("a").acked(1).acked(1),
	],
	["I6", "success without PUBACK", begin().sends("c", 2).created("c", "success")],
	["I6", "success before the PUBACK", begin().sends("c", 2).created("c", "success").answered(2)],
	[
		"I6",
		"success although the PUBACK was swallowed",
		begin().sends("c", 2).answered(2, "swallowed").created("c", "success"),
	],
	["I6", "success by another's PUBACK", begin().sends("c", 2).sends("d", 3).answered(3).created("c", "success")],
	[
		"I6",
		"success by the PUBACK of an earlier connection's identifier",
		begin().sends("c", 2).cut().connect().answered(2).created("c", "success"),
	],
	["I7", "written though not sent was answered", begin().sends("c", 2).created("c", "not sent")],
	[
		"I7",
		"written on a new connection after the error",
		begin().sends("c", 2).cut().created("c", "outcome unknown").connect().sends("c", 2),
	],
	["I7", "written long after the error", begin().created("c", "outcome unknown").wait(2_000).sends("c", 2)],
	["I13", "accepted twice without a cause", begin().arrives("a", 1).handled("a").handled("a").acked(1)],
	[
		"I13",
		"accepted three times with one cause",
		begin()
			.arrives("a", 1)
			.handled("a")
			.cut()
			.connect()
			.arrives("a", 1, { dup: true })
			.handled("a")
			.handled("a")
			.acked(1),
	],
	[
		"I13",
		"accepted again though acknowledged long before the cut",
		whole(begin(), "a", 1).wait(5_000).cut().connect().handled("a"),
	],
	["I14", "the second first", begin().arrives("a", 1).arrives("b", 2).handled("b").handled("a"), { ordering: "topic" }],
];

describe("good histories", () => {
	for (const [sentence, history, changes] of GOOD) {
		test(sentence, () => expect(checkHistories(history.histories(changes), { messages: 0 })).toEqual([]));
	}
});

describe("bad histories", () => {
	for (const [invariant, sentence, history, changes] of BAD) {
		test(`${invariant}: ${sentence}`, () => {
			expect(new Set(broken(history, changes))).toEqual(new Set([invariant]));
		});
	}
});

test("a run without faults, messages or creates is a failed run", () => {
	const run = whole(new WrittenHistory().connect(), "a", 1).histories();
	const found = checkHistories(run, { messages: 2, creates: 1 });
	expect(found.map(({ message }) => message)).toEqual([
		"the app accepted 1 messages, and 2 prove something",
		"0 creates succeeded, and 1 prove something",
		"0 faults fired, and 1 were meant to",
	]);
});

test("a witness holds the events that show it, and no others", () => {
	const history = whole(begin(), "x", 9).arrives("a", 1).acked(1).handled("a");
	const [violation] = checkHistories(history.histories(), { messages: 0 });
	expect(violation).toEqual({
		invariant: "I2",
		message: '"a" was acknowledged before the app accepted it',
		witness: [
			'130.0 ms  PUBLISH 1 "a" received on connection 1',
			"140.0 ms  PUBACK 1 written on connection 1",
			`160.0 ms  the app's 2xx for "a"`,
		],
	});
});

test("twice the length takes about twice the time", () => {
	const time = (count: number) => {
		const history = begin();
		for (let index = 0; index < count; index++) whole(history, `m${index}`, (index % 20) + 1);
		const histories = history.histories();
		const startedAt = performance.now();
		expect(checkHistories(histories, { messages: count })).toEqual([]);
		return performance.now() - startedAt;
	};
	time(5_000);
	const [small, large] = [time(10_000), time(80_000)];
	// Eight times as long; quadratic would be 64 times. The least counts little on a busy machine.
	expect(large).toBeLessThan(25 * Math.max(small, 10));
});
