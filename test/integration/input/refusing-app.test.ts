import { expect, it } from "vitest";
import { ACCEPTED, type ReadResponse, type Verdict } from "../../../src/bindings/binding.js";
import { eventually } from "../../support/eventually.js";
import { describeWith } from "../../support/left-out.js";
import { MosquittoInput, numbered, textOf } from "./mosquitto-input.js";

const REFUSED: Verdict = { kind: "failed", error: new Error("status 500"), status: 500 };

/** An app that refuses what begins with p until it has recovered. */
class Moody {
	hasRecovered = false;
	/** Attempts by message. */
	readonly attempts = new Map<string, string[]>();
	readonly accepted: string[] = [];

	readonly handler = (event: ReadResponse): Verdict => {
		const text = textOf(event);
		this.attempts.set(text, [...(this.attempts.get(text) ?? []), event.metadata.attempt ?? "1"]);
		if (!this.hasRecovered && text.startsWith("p")) return REFUSED;
		this.accepted.push(text);
		return ACCEPTED;
	};
}

describeWith("mosquitto", "an app that refuses messages, on mosquitto with its window of 20", () => {
	it("15 refused: the 16th arrives at once, and the refused ones again by themselves once the app accepts", async () => {
		await using line = await MosquittoInput.open({ holdIntervalMs: 500 });
		const app = new Moody();
		await line.read(app.handler);
		await line.send(...numbered(15, "p"));
		await eventually(() => expect(line.count("held")).toBe(15));
		const before = performance.now();
		await line.send("healthy");
		await eventually(() => expect(app.accepted).toEqual(["healthy"]));
		expect(performance.now() - before).toBeLessThan(2_000);
		expect(line.binding.health()).toMatchObject([{ code: "held", blocking: false }]);

		app.hasRecovered = true;
		await eventually(() => expect(app.accepted).toHaveLength(16), { timeoutMs: 10_000 });
		expect(app.accepted.slice(1).toSorted()).toEqual(numbered(15, "p").toSorted());
		await eventually(() => expect(line.binding.health()).toEqual([]));
		expect(line.count("connected")).toBe(1);
		// Mosquitto has its acknowledgements: nothing comes again to the next connection.
		expect(await line.stop(5_000)).toBe(true);
		const again = new Moody();
		await line.read(again.handler);
		await line.send("last");
		await eventually(() => expect(again.accepted).toContain("last"));
		expect(again.accepted).toEqual(["last"]);
	});

	it("25 refused: readiness and one report say that it is stalled and why, and it catches up on the same connection", async () => {
		await using line = await MosquittoInput.open({ holdIntervalMs: 500 });
		const app = new Moody();
		await line.read(app.handler);
		await line.send(...numbered(25, "p"), ...numbered(5, "healthy"));
		await eventually(() => expect(line.count("stalled")).toBe(1), { timeoutMs: 15_000 });
		const [reason] = line.binding.health();
		expect(reason).toMatchObject({ code: "stalled", blocking: true });
		expect(reason!.message).toMatch(/stalled: nothing new for \d+ s, and each of the 20 messages .*refused.*"t\/x"/);
		await expect(line.binding.ping()).rejects.toThrow(/stalled/);
		// Those behind the window are still with the broker.
		expect(app.attempts.size).toBe(20);

		app.hasRecovered = true;
		await eventually(() => expect(app.accepted).toHaveLength(30), { timeoutMs: 10_000 });
		await eventually(() => expect(line.count("stalled-no-more")).toBe(1));
		expect(line.binding.health()).toEqual([]);
		expect([line.count("stalled"), line.count("connected"), line.count("disconnected")]).toEqual([1, 1, 0]);
	});

	it("retries survive reconnects: one retry loop a message, the count goes on, and the hold comes once", async () => {
		await using line = await MosquittoInput.open({ backOffMaxRetries: 4, backOffIntervalMs: 400 });
		const app = new Moody();
		const at: number[] = [];
		await line.read((event) => {
			at.push(performance.now());
			return app.handler(event);
		});
		await line.send("p");
		for (let flap = 1; flap <= 5; flap++) {
			line.cut();
			await eventually(() => expect(line.count("subscribed")).toBe(flap + 1));
		}
		await eventually(() => expect(line.count("held")).toBe(1), { timeoutMs: 10_000 });
		expect(app.attempts.get("p")).toEqual(["1", "2", "3", "4", "5"]);
		for (let index = 1; index < at.length; index++) expect(at[index]! - at[index - 1]!).toBeGreaterThan(395);
		expect(line.count("delivery-failed")).toBe(4);
	});
});
