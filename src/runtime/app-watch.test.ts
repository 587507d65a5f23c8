import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { eventually } from "../../test/support/eventually.js";
import type { AppChannel } from "./app-channel.js";
import { AppWatch } from "./app-watch.js";

/** A port that opens and closes at a word. */
class ScriptedPort implements AppChannel {
	readonly address = "127.0.0.1:3000";
	readonly connectError = undefined;
	open = false;
	/** When it was waited for, in milliseconds. */
	readonly waits: number[] = [];
	looks = 0;

	async waitForPort(signal: AbortSignal): Promise<void> {
		this.waits.push(performance.now());
		while (!this.open) {
			signal.throwIfAborted();
			await nextTurn();
		}
	}
	async isPortOpen(): Promise<boolean> {
		this.looks++;
		return this.open;
	}
	async isSubscribed(): Promise<boolean> {
		return true;
	}
	async sendBindingEvent(): Promise<{ readonly kind: "none" }> {
		return { kind: "none" };
	}
	async close(): Promise<void> {}
}

function setUp(recheckMs?: number) {
	const port = new ScriptedPort();
	const stop = new AbortController();
	const heard: string[] = [];
	const listener = { appAway: () => heard.push("away"), appBack: () => heard.push("back") };
	const watch = new AppWatch(port, listener, stop.signal, recheckMs);
	const run = watch.run().catch((error: unknown) => error);
	onTestFinished(async () => {
		stop.abort();
		await run;
	});
	return { port, stop, heard, watch, run };
}

describe("the watch over the app's port", () => {
	test("says once that it came and once that it went, however many notice", async () => {
		const { port, heard, watch } = setUp();
		watch.lost();
		expect(watch.isOpen).toBe(false);
		port.open = true;
		await watch.untilOpen();
		port.open = false;
		watch.lost();
		watch.lost();
		expect(heard).toEqual(["back", "away"]);
		expect(watch.isOpen).toBe(false);
	});

	test("does not look at an open port for nothing", async () => {
		const { port, watch } = setUp(1);
		port.open = true;
		await watch.untilOpen();
		for (let turn = 0; turn < 50; turn++) await nextTurn();
		expect(port).toMatchObject({ looks: 0 });
		expect(port.waits).toHaveLength(1);
	});

	test("notices without a delivery that the port went and came back, for who waits for that", async () => {
		const { port, heard, watch } = setUp(5);
		port.open = true;
		await watch.untilOpen();
		let reopened = false;
		const waiting = watch.untilReopened(watch.appearances).then(() => {
			reopened = true;
		});
		await eventually(() => expect(port.looks).toBeGreaterThan(2));
		expect(reopened).toBe(false);
		port.open = false;
		await eventually(() => expect(heard).toEqual(["back", "away"]));
		port.open = true;
		await waiting;
		expect(heard).toEqual(["back", "away", "back"]);
	});

	test("who waits for a return that has happened waits no more", async () => {
		const { port, watch } = setUp();
		port.open = true;
		await watch.untilOpen();
		const { appearances } = watch;
		watch.lost();
		await watch.untilOpen();
		await watch.untilReopened(appearances);
	});

	test("F-37: looks at once for an app that had answered, and later and later for one that never does", async () => {
		const { port, watch } = setUp();
		port.open = true;
		const loseIt = async () => {
			await watch.untilOpen();
			const before = performance.now();
			watch.lost();
			await eventually(() => expect(watch.isOpen).toBe(true));
			return performance.now() - before;
		};
		await watch.untilOpen();
		watch.answered();
		expect(await loseIt()).toBeLessThan(150);
		expect(await loseIt()).toBeGreaterThan(190);
		expect(await loseIt()).toBeGreaterThan(390);
		watch.answered();
		expect(await loseIt()).toBeLessThan(150);
	});

	test("ends all waiting when it is stopped", async () => {
		const { port, stop, watch, run } = setUp();
		const waiting = watch.untilOpen().catch((error: unknown) => error);
		stop.abort();
		expect(await waiting).toBeInstanceOf(Error);
		expect(await run).toBeInstanceOf(Error);
		port.open = true;
		await expect(watch.untilOpen()).rejects.toThrow();
		await expect(watch.untilReopened(0)).rejects.toThrow();
	});
});
