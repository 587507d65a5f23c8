import { describe, expect, it } from "vitest";
import { BrokerList } from "./broker-list.js";
import { parseBrokerUrl } from "./broker-url.js";

const urls = ["tcp://a", "tcp://b", "tcp://c"].map(parseBrokerUrl);
const next = (list: BrokerList, times: number) => Array.from({ length: times }, () => list.next().host).join("");

describe("several brokers", () => {
	it("are tried in turn, once each", () => {
		expect(next(new BrokerList(urls), 7)).toBe("abcabca");
	});

	it("after a loss the same one is tried three times before the next", () => {
		const list = new BrokerList(urls);
		expect(next(list, 2)).toBe("ab");
		list.accepted();
		expect(next(list, 6)).toBe("bbbcab");
	});

	it("each time it is accepted it has three attempts again", () => {
		const list = new BrokerList(urls);
		next(list, 1);
		list.accepted();
		expect(next(list, 2)).toBe("aa");
		list.accepted();
		expect(next(list, 4)).toBe("aaab");
		expect(list.present.host).toBe("b");
	});

	it("one alone is tried for ever", () => {
		expect(next(new BrokerList(urls.slice(0, 1)), 5)).toBe("aaaaa");
	});
});
