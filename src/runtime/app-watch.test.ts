import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { eventually } from "../../test/support/eventually.js";
import type { AppChannel } from "./app-channel.js";
import { AppWatch, type AppWatchOptions } from "./app-watch.js";

/** A port that opens and closes at a word. */
class ScriptedPort implements AppChannel {
	readonly address = "127.0.0.1:3000";
	readonly connectError = undefined;
	readonly healthError = undefined;
	open = false;
	healthy = true;
	hungUp = false;
	probes = 0;
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
	async untilHangUp(signal: AbortSignal): Promise<void> {
		while (!this.hungUp) {
			signal.throwIfAborted();
			await nextTurn();
		}
	}
	async isHealthy(): Promise<boolean> {
		this.probes++;
		return this.open && this.healthy;
	}
	async isSubscribed(): Promise<boolean> {
		return true;
	}
	describeNo(): string {
		return "it said no";
	}
	async sendBindingEvent(): Promise<{ readonly kind: "none" }> {
		return { kind: "none" };
	}
	async close(): Promise<void> {}
}

function setUp(options: AppWatchOptions = {}) {
	const port = new ScriptedPort();
	const stop = new AbortController();
	const { signal } = stop;
	const heard: string[] = [];
	const watch = new AppWatch(port, (state) => heard.push(state), signal, options);
	const run = watch.run().catch((error: unknown) => error);
	onTestFinished(async () => {
		stop.abort();
		await run;
	});
	return { port, stop, signal, heard, watch, run };
}

describe("the watch over the app's port", () => {
	test("says once that it came and once that it went, however many notice", async () => {
		const { port, heard, watch, signal } = setUp();
		watch.lost();
		expect(watch.state).toBe("away");
		port.open = true;
		await watch.untilOpen(signal);
		port.open = false;
		watch.lost();
		watch.lost();
		expect(heard).toEqual(["open", "away"]);
		expect(watch.state).toBe("away");
	});

	test("does not look at an open port for nothing", async () => {
		const { port, watch, signal } = setUp({ recheckMs: 1 });
		port.open = true;
		await watch.untilOpen(signal);
		for (let turn = 0; turn < 50; turn++) await nextTurn();
		expect(port).toMatchObject({ looks: 0, probes: 0 });
		expect(port.waits).toHaveLength(1);
	});

	test("notices without a delivery that the port went and came back, for who waits for that", async () => {
		const { port, heard, watch, signal } = setUp({ recheckMs: 5 });
		port.open = true;
		await watch.untilOpen(signal);
		let reopened = false;
		const waiting = watch.untilReopened(watch.appearances, signal).then(() => {
			reopened = true;
		});
		await eventually(() => expect(port.looks).toBeGreaterThan(2));
		expect(reopened).toBe(false);
		port.open = false;
		await eventually(() => expect(heard).toEqual(["open", "away"]));
		port.open = true;
		await waiting;
		expect(heard).toEqual(["open", "away", "open"]);
	});

	test("an app that starts again so quickly that its port was never seen closed shows in a connection that ends", async () => {
		const { port, heard, watch, signal } = setUp({ recheckMs: 50 });
		port.open = true;
		await watch.untilOpen(signal);
		const began = performance.now();
		const waiting = watch.untilReopened(watch.appearances, signal);
		port.hungUp = true;
		await waiting;
		expect(performance.now() - began, "not in a tight circle").toBeGreaterThan(45);
		expect(heard, "nobody else is troubled").toEqual(["open"]);
	});

	test("who waits for a return that has happened waits no more", async () => {
		const { port, watch, signal } = setUp();
		port.open = true;
		await watch.untilOpen(signal);
		const { appearances } = watch;
		watch.lost();
		await watch.untilOpen(signal);
		await watch.untilReopened(appearances, signal);
	});

	test("F-37: looks at once for an app that had answered, and later and later for one that never does", async () => {
		const { port, watch, signal } = setUp();
		port.open = true;
		const loseIt = async () => {
			await watch.untilOpen(signal);
			const before = performance.now();
			watch.lost();
			await eventually(() => expect(watch.state).toBe("open"));
			return performance.now() - before;
		};
		await watch.untilOpen(signal);
		watch.answered();
		expect(await loseIt()).toBeLessThan(150);
		expect(await loseIt()).toBeGreaterThan(190);
		expect(await loseIt()).toBeGreaterThan(390);
		watch.answered();
		expect(await loseIt()).toBeLessThan(150);
	});

	test("ends all waiting when it is stopped", async () => {
		const { port, stop, signal, watch, run } = setUp();
		const waiting = watch.untilOpen(signal).catch((error: unknown) => error);
		stop.abort();
		expect(await waiting).toBeInstanceOf(Error);
		expect(await run).toBeInstanceOf(Error);
		port.open = true;
		await expect(watch.untilOpen(signal)).rejects.toThrow();
		await expect(watch.untilReopened(0, signal)).rejects.toThrow();
	});

	test("tells when the port is gone to who waits for that, at once if it is gone already", async () => {
		const { port, heard, watch, signal } = setUp();
		await watch.untilGone(signal);
		port.open = true;
		await watch.untilOpen(signal);
		let gone = false;
		const waiting = watch.untilGone(signal).then(() => {
			gone = true;
		});
		await eventually(() => expect(port.looks).toBeGreaterThan(0));
		expect(gone).toBe(false);
		port.open = false;
		await waiting;
		expect(heard).toEqual(["open", "away"]);
	});
});

describe("the watch over the app's health", () => {
	/** Opens the port and waits for the app. */
	async function setUpOpen(threshold: number) {
		const made = setUp({ health: { intervalMs: 2, threshold } });
		made.port.open = true;
		await made.watch.untilOpen(made.signal);
		return made;
	}

	test("an app is not open before its first success, and is found all the same", async () => {
		const { port, heard, watch, signal } = setUp({ health: { intervalMs: 2, threshold: 3 } });
		port.healthy = false;
		expect(watch.found).toBe(false);
		port.open = true;
		await eventually(() => expect(port.probes).toBeGreaterThan(5));
		expect(watch).toMatchObject({ state: "unhealthy", found: true, appearances: 0 });
		port.healthy = true;
		await watch.untilOpen(signal);
		expect(heard).toEqual(["unhealthy", "open"]);
	});

	test("the first probe follows the port's opening at once", async () => {
		const { port, watch, signal } = setUp({ health: { intervalMs: 60_000, threshold: 3 } });
		port.open = true;
		await watch.untilOpen(signal);
		expect(port.probes).toBe(1);
	});

	test("as many failures in a row as the threshold says make it unhealthy, one success makes it healthy", async () => {
		const { port, heard, watch, signal } = await setUpOpen(3);
		const states: string[] = [];
		port.isHealthy = async () => {
			states.push(watch.state);
			return port.healthy;
		};
		port.healthy = false;
		await eventually(() => expect(states.length).toBeGreaterThan(5));
		expect(states.slice(0, 4)).toEqual(["open", "open", "open", "unhealthy"]);
		port.healthy = true;
		await watch.untilOpen(signal);
		expect(heard).toEqual(["open", "unhealthy", "open"]);
		expect(watch.appearances).toBe(2);
	});

	test("the count starts anew with an app that comes back", async () => {
		const { port, heard, watch } = await setUpOpen(2);
		const answers = [false, false, true, false, true];
		port.isHealthy = async () => {
			if (port.probes++ === 2) watch.lost();
			return answers.shift() ?? true;
		};
		watch.answered();
		await eventually(() => expect(answers).toEqual([]));
		expect(heard).toEqual(["open", "away", "open"]);
	});

	test("a success between failures starts the count anew", async () => {
		const { port, heard } = await setUpOpen(3);
		const answers = [false, false, true];
		port.isHealthy = async () => answers[port.probes++ % answers.length]!;
		await eventually(() => expect(port.probes).toBeGreaterThan(20));
		expect(heard).toEqual(["open"]);
		answers[2] = false;
		await eventually(() => expect(heard).toEqual(["open", "unhealthy"]));
	});

	test("a failure because nobody listens is the port's matter: away at once, and looked for as ever", async () => {
		const { port, heard, watch, signal } = await setUpOpen(1_000);
		watch.answered();
		port.open = false;
		await eventually(() => expect(watch.state).toBe("away"));
		const { probes } = port;
		for (let turn = 0; turn < 50; turn++) await nextTurn();
		expect(port.probes).toBe(probes);
		port.open = true;
		await watch.untilOpen(signal);
		expect(heard).toEqual(["open", "away", "open"]);
	});

	test("an app that comes back has to be well first", async () => {
		const { port, heard, watch, signal } = await setUpOpen(1_000);
		port.healthy = false;
		watch.lost();
		await eventually(() => expect(watch.state).toBe("unhealthy"));
		port.healthy = true;
		await watch.untilOpen(signal);
		expect(heard).toEqual(["open", "away", "unhealthy", "open"]);
	});

	test("an unhealthy app whose port closes is away", async () => {
		const { port, heard, watch } = await setUpOpen(1);
		port.healthy = false;
		await eventually(() => expect(watch.state).toBe("unhealthy"));
		watch.lost();
		expect(watch.state).toBe("unhealthy");
		port.open = false;
		await eventually(() => expect(heard).toEqual(["open", "unhealthy", "away"]));
	});

	test("a failed probe of the app that was there before says nothing of the one that is there now", async () => {
		const { port, heard, watch, signal } = await setUpOpen(1);
		let fail = (_healthy: boolean) => {};
		port.isHealthy = () => {
			port.isHealthy = async () => true;
			return new Promise((resolve) => {
				fail = resolve;
			});
		};
		const { isHealthy } = port;
		await eventually(() => expect(port.isHealthy).not.toBe(isHealthy));
		watch.answered();
		watch.lost();
		await watch.untilOpen(signal);
		fail(false);
		for (let turn = 0; turn < 50; turn++) await nextTurn();
		expect(heard).toEqual(["open", "away", "open"]);
	});

	test("an app that turns unhealthy is gone", async () => {
		const { port, watch, signal } = await setUpOpen(2);
		const waiting = watch.untilGone(signal);
		port.healthy = false;
		await waiting;
		expect(watch.state).toBe("unhealthy");
	});

	test("ends with the signal, also while it asks", async () => {
		const { stop, run, port, heard } = await setUpOpen(1);
		port.isHealthy = async () => {
			stop.abort();
			return false;
		};
		expect(await run).toBeInstanceOf(Error);
		expect(heard).toEqual(["open"]);
	});
});
