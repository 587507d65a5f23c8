import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { component, logged, metric, untilReady } from "../../integration/sidecar/component.js";
import { createCa } from "../../support/certificates.js";
import { eventually } from "../../support/eventually.js";
import { describeWith } from "../../support/left-out.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { launchSidecar } from "../../support/sidecar-process.js";
import { fault } from "../support/fault.js";
import { startWatchedLine } from "../support/watched-line.js";
import { orders } from "./orders.js";

const HOUR = 3_600_000;
/** The daylight-saving change is no jump of the clock, but a zone in which it happens is worth a try. */
const DST = { TZ: "Europe/Berlin" };

describeWith("mosquitto", "time", () => {
	fault(
		{
			rows: ["F-73", "S-41"],
			injected:
				"the wall clock of the process jumps by an hour forth and back, to 1970 and to a night in which the clocks change, while a retry waits",
			scale:
				"three seconds of each instead of hours; the process's Date is replaced, its monotonic clock is the real one",
		},
		"timers keep their time: no connection lost, no storm of pings, retries neither at once nor never",
		async ({ seen }) => {
			await using clock = await orders();
			await using line = await startWatchedLine({
				broker: { logPackets: true },
				app: { rules: [{ payloads: ["retry"], times: 1, status: 500 }] },
				fields: { keepAlive: "1s", backOffMaxRetries: 5, backOffInterval: "1500ms" },
				sidecar: { ...clock.options, env: { ...clock.options.env, ...DST } },
			});
			const { sidecar, device, app, broker } = line;
			const now = Date.now();
			const jumps = [HOUR, -HOUR, -now, Date.UTC(2027, 2, 28, 0, 59, 59) - now, 0];
			const pings = () => broker.log.filter((entry) => entry.includes("Received PINGREQ from sidecar-orders")).length;
			const before = pings();
			const startedAt = performance.now();
			await device.publish("in/a", "retry");
			for (const [index, jump] of jumps.entries()) {
				await device.publish("in/a", `before jump ${index}`);
				clock.give(sidecar, `shift ${jump}`);
				const earlier = pings();
				// Nothing but pings are due.
				await sleep(3_000);
				expect(pings() - earlier, `pings after the jump by ${jump} ms`).toBeGreaterThanOrEqual(1);
			}
			await app.acceptedAtLeast(jumps.length + 1);
			const [failed, accepted] = app.requests().filter(({ payload }) => payload.toString() === "retry");
			const pauseMs = accepted!.at - failed!.answeredAt!;
			expect(pauseMs).toBeGreaterThan(1_400);
			const seconds = (performance.now() - startedAt) / 1_000;
			const sent = pings() - before;
			expect(sent).toBeLessThanOrEqual(2 * seconds + 2);
			expect(await metric(sidecar, "mqtt3_binding_connects_total{")).toBe(1);
			expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
			seen(
				`${jumps.length} jumps in ${seconds.toFixed(1)} s: no connection lost, ${sent} pings at a keep-alive of 1 s, the retry after ${Math.round(pauseMs)} ms instead of 1500, every message accepted`,
			);
		},
		60_000,
	);

	fault(
		{ rows: ["F-73"], injected: "the machine's clock says 1970 when the sidecar with a client certificate starts" },
		"the start ends with a word about the certificate's time and the clock",
		async ({ seen }) => {
			await using clock = await orders();
			clock.write(`shift ${-Date.now()}`);
			const ca = await createCa();
			const { cert, key } = await ca.issue();
			const fields = { url: "mqtts://127.0.0.1:1", caCert: ca.cert, clientCert: cert, clientKey: key };
			await using sidecar = await launchSidecar({
				components: component(fields),
				nodeArgs: clock.options.nodeArgs!,
				env: { ...clock.options.env, ORDERS_AT_START: "1" },
			});
			expect((await sidecar.exited).code).toBe(1);
			const said = sidecar.output.find((one) => /not valid (yet|before)/.test(one));
			expect(said).toMatch(/clock/);
			seen(said!);
		},
	);

	fault(
		{
			rows: ["F-74", "S-47"],
			injected: "the event loop of the process is blocked (work that does not yield) while the app has messages",
			scale: "eight seconds at a keep-alive of one second instead of ten or fifteen",
		},
		"the broker ends the connection; we connect again, acknowledge nothing stale, and say how long the process did nothing",
		async ({ seen }) => {
			await using clock = await orders();
			await using line = await startWatchedLine({
				app: { rules: [{ pattern: "^slow", delayMs: 1_500 }] },
				fields: { keepAlive: "1s" },
				sidecar: clock.options,
			});
			const { sidecar, device, app } = line;
			for (let n = 0; n < 5; n++) await device.publish("in/a", `slow ${n}`);
			await eventually(() => expect(app.requests().length).toBe(5));
			// Mosquitto looks for silent clients every five seconds.
			clock.give(sidecar, "block 8000");
			const [said] = await sidecar.line(/for [\d.]+ s this process did nothing/);
			await sidecar.line(/code=disconnected/);
			await untilReady(sidecar);
			await device.publish("in/a", "after");
			await app.acceptedAtLeast(6);
			const lag = await metric(sidecar, "mqtt3_binding_event_loop_lag_seconds{");
			expect(lag).toBeGreaterThan(3);
			expect(logged(sidecar, "event-loop-blocked")).toHaveLength(1);
			const deliveries = app.requests().length;
			expect(deliveries).toBeLessThanOrEqual(11);
			await eventually(async () => expect(await metric(sidecar, "mqtt3_binding_unacknowledged{")).toBe(0));
			seen(
				`"${said}", metric ${lag.toFixed(1)} s; connected again, all 6 messages accepted with ${deliveries - 6} repeats, at most the 5 in flight; nothing left un-acknowledged`,
			);
		},
		60_000,
	);

	fault(
		{
			rows: ["F-72", "S-41"],
			injected:
				"the sidecar is stopped (SIGSTOP), as a machine that sleeps, with messages at the app, and goes on later",
			scale: "until the broker has given it up at a keep-alive of one second, instead of two or ten minutes",
		},
		"nothing stale is acknowledged, it connects again at once, and every message is acknowledged on the new connection",
		async ({ seen }) => {
			await using line = await startWatchedLine({
				broker: { logPackets: true },
				app: { rules: [{ pattern: "^slow", delayMs: 1_000 }] },
				fields: { keepAlive: "1s" },
			});
			const { sidecar, device, app, broker } = line;
			for (let n = 0; n < 5; n++) await device.publish("in/a", `slow ${n}`);
			await eventually(() => expect(app.requests().length).toBe(5));
			sidecar.signal("SIGSTOP");
			const stoppedAt = performance.now();
			await broker.line(/sidecar-orders has exceeded timeout/, 20_000);
			const before = broker.log.length;
			await device.publish("in/a", "while it sleeps");
			await eventually(() => expect(app.accepted()).toHaveLength(5));
			// Long enough to be worth a word.
			await eventually(() => expect(performance.now() - stoppedAt).toBeGreaterThan(4_000), { timeoutMs: 10_000 });
			sidecar.signal("SIGCONT");
			const wokenAt = performance.now();
			await sidecar.line(/for [\d.]+ s this process did nothing/);
			await app.acceptedAtLeast(6);
			const tookMs = Math.round(performance.now() - wokenAt);
			expect(tookMs).toBeLessThan(10_000);
			await eventually(async () => expect(await metric(sidecar, "mqtt3_binding_unacknowledged{")).toBe(0));
			const said = broker.log.slice(before).filter((entry) => entry.includes("sidecar-orders"));
			const at = (what: string) => said.findIndex((entry) => entry.includes(what));
			const count = (what: string) => said.filter((entry) => entry.includes(what)).length;
			expect(at("Received PUBACK")).toBeGreaterThan(at("Sending CONNACK to sidecar-orders (1, 0)"));
			expect([count("Sending PUBLISH"), count("Received PUBACK")]).toEqual([6, 6]);
			const calls = app.requests().length;
			expect(calls).toBeLessThanOrEqual(11);
			expect(await metric(sidecar, "mqtt3_binding_connects_total{")).toBe(2);
			seen(
				`no acknowledgement before the new CONNACK, 6 messages and 6 acknowledgements after it, ${calls - 6} calls of the app repeated; the sixth message accepted ${tookMs} ms after it went on`,
			);
		},
		60_000,
	);

	fault(
		{
			rows: ["F-72"],
			injected:
				"the sidecar is stopped (SIGSTOP) with messages at the app; meanwhile mosquitto is killed and comes back without its data",
		},
		"what the app accepted then is acknowledged to nobody",
		async ({ seen }) => {
			await using line = await startWatchedLine({
				broker: { logPackets: true },
				app: { rules: [{ pattern: "^slow", delayMs: 1_000 }] },
			});
			const { sidecar, device, app, broker } = line;
			for (let n = 0; n < 5; n++) await device.publish("in/a", `slow ${n}`);
			await eventually(() => expect(app.requests().length).toBe(5));
			sidecar.signal("SIGSTOP");
			await broker.kill();
			const before = broker.log.length;
			await broker.start();
			await eventually(() => expect(app.accepted()).toHaveLength(5));
			sidecar.signal("SIGCONT");
			await sidecar.line(/code=disconnected/);
			await untilReady(sidecar);
			await using again = await connectDevice(broker.url);
			await again.publish("in/a", "after");
			await app.acceptedAtLeast(6);
			await eventually(async () => expect(await metric(sidecar, "mqtt3_binding_unacknowledged{")).toBe(0));
			const count = (what: string) => broker.log.slice(before).filter((entry) => entry.includes(what)).length;
			expect(count("Sending PUBLISH to sidecar-orders")).toBe(1);
			expect(count("Received PUBACK from sidecar-orders")).toBe(1);
			expect(await metric(sidecar, "mqtt3_binding_sessions_lost_total{")).toBe(1);
			expect(app.requests()).toHaveLength(6);
			const stale = await metric(sidecar, "mqtt3_binding_stale_acknowledgements_total{");
			seen(
				`5 accepted while it slept, none of them acknowledged to the new session (${stale} counted as stale); the next message delivered and acknowledged`,
			);
		},
		60_000,
	);
});
