import { expect, it } from "vitest";
import { ACCEPTED, type ReadResponse, type Verdict } from "../../../src/bindings/binding.js";
import { eventually } from "../../support/eventually.js";
import { describeWith } from "../../support/left-out.js";
import { MosquittoInput, numbered, textOf } from "./mosquitto-input.js";

/** Accepts, and collects. */
function acceptAll(): {
	readonly texts: string[];
	readonly events: ReadResponse[];
	handler(event: ReadResponse): Verdict;
} {
	const texts: string[] = [];
	const events: ReadResponse[] = [];
	return {
		texts,
		events,
		handler(event) {
			texts.push(textOf(event));
			events.push(event);
			return ACCEPTED;
		},
	};
}

/** What mosquitto still has for the session, in order. It sends what waited before what is new. */
async function leftOver(line: MosquittoInput): Promise<readonly ReadResponse[]> {
	const app = acceptAll();
	await line.read(app.handler);
	await line.send("marker");
	await eventually(() => expect(app.texts).toContain("marker"));
	return app.events.slice(0, -1);
}

describeWith("mosquitto", "handlers on mosquitto", () => {
	it("F-71, F-92: a stop acknowledges what ended in time; all the rest comes again, in order, and what was sent before is marked", async () => {
		await using line = await MosquittoInput.open({ maxInFlight: 5 });
		const texts = numbered(60, "m");
		const seen: string[] = [];
		await line.read((event, signal) => {
			const text = textOf(event);
			seen.push(text);
			if (Number(text.slice(1)) % 2 === 1) return ACCEPTED;
			return new Promise((resolve) => {
				signal.addEventListener("abort", () => resolve({ kind: "failed", error: new Error("stopped") }));
			});
		});
		await line.send(...texts);
		// The app has m0, m2, m4, m6 and m8; m9 to m19 wait here, the others at mosquitto.
		await eventually(() => expect(seen).toEqual(texts.slice(0, 9)));
		expect(await line.stop(100)).toBe(false);
		const again = await leftOver(line);
		expect(again.map(textOf)).toEqual(["m0", "m2", "m4", "m6", ...texts.slice(8)]);
		expect(again.slice(0, 16).every(({ metadata }) => metadata.duplicate === "true")).toBe(true);
	});

	it("no verdict: given back with place and attempts unchanged, and handed over again in order on the same connection", async () => {
		await using line = await MosquittoInput.open();
		const calls: string[] = [];
		const accepted: string[] = [];
		let verdict: Verdict = { kind: "unreachable" };
		await line.read(async (event) => {
			calls.push(textOf(event));
			if (verdict.kind === "accepted") accepted.push(`${textOf(event)} ${event.metadata.attempt ?? 1}`);
			return verdict;
		});
		const texts = numbered(30, "m");
		await line.send(...texts);
		await eventually(() => expect(line.binding.health()).toMatchObject([{ code: "paused", blocking: true }]));
		// Somebody answers again, but says nothing.
		verdict = { kind: "none" };
		const before = calls.length;
		line.binding.resume();
		await eventually(() => expect(calls.length).toBeGreaterThanOrEqual(before + 20));
		expect(calls.slice(before, before + 20)).toEqual(texts.slice(0, 20));
		await eventually(() => expect(calls.length).toBeGreaterThan(before + 40));
		verdict = ACCEPTED;
		await eventually(() => expect(accepted).toHaveLength(30));
		expect(accepted.toSorted()).toEqual(texts.map((text) => `${text} 1`).toSorted());
		expect([line.count("connected"), line.count("delivery-failed"), line.count("held")]).toEqual([1, 0, 0]);
		expect(await line.stop(5_000)).toBe(true);
		expect(await leftOver(line)).toEqual([]);
	});

	it("F-37: an app that dies with a message in its hands gets it again three times; then it has refused it", async () => {
		await using line = await MosquittoInput.open();
		let deaths = 0;
		const healthy: string[] = [];
		await line.read((event) => {
			if (textOf(event) !== "deadly") {
				healthy.push(textOf(event));
				return ACCEPTED;
			}
			deaths++;
			return { kind: "none", crashed: true };
		});
		await line.send("deadly", "healthy");
		await eventually(() => expect(line.count("held")).toBe(1));
		expect([deaths, healthy]).toEqual([4, ["healthy"]]);
		expect(line.reports.find(({ code }) => code === "held")?.message).toContain("died 4 times");
	});
});
