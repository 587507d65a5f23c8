import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { freePort } from "../../support/free-port.js";
import { describeWith } from "../../support/left-out.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { startSidecar } from "../../support/sidecar-process.js";
import { component, logged, untilReady, untilReason } from "./component.js";
import { distinct, type Line, type LineOptions, numbers, startLine, texts } from "./line.js";

/** A Resiliency resource with the policies in flow form, and one target. */
function resiliency(policies: string, target: string): string {
	return `---
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: { name: policies }
spec:
  policies: ${policies}
  targets: { components: { orders: ${target} } }
`;
}

/** A line with policies in its folder from the start. */
async function startGuarded(policies: string, target: string, options: LineOptions = {}): Promise<Line> {
	const line = await startLine(options);
	await setPolicies(line, policies, target);
	await line.sidecar.line(/code=resiliency-reloaded /);
	return line;
}

async function setPolicies({ sidecar }: Line, policies: string, target: string): Promise<void> {
	await writeFile(join(sidecar.resourcesPath, "policies.yaml"), resiliency(policies, target));
}

function create(line: Pick<Line, "sidecar">, data: number): Promise<Response> {
	return line.sidecar.create("orders", { operation: "create", data, metadata: { topic: "out/x" } });
}

describeWith("mosquitto", "inbound policies", () => {
	test("a retry tries again within one attempt of the binding, and what is accepted then is acknowledged", async () => {
		const retries = "{ retries: { quick: { duration: 50ms, maxRetries: 5 } } }";
		await using line = await startGuarded(retries, "{ inbound: { retry: quick } }", {
			app: { rules: [{ status: 500, times: 3 }] },
			fields: { cleanSession: false },
		});
		await line.device.publish("in/a", "1");
		await line.app.acceptedAtLeast(1);
		expect(line.app.requests().filter(({ method }) => method === "POST")).toHaveLength(4);
		expect(logged(line.sidecar, "held")).toEqual([]);
		expect(await unacknowledged(line)).toBe(0);
	});

	test("a refusal that the retry does not match, and retries that are used up, end the attempt: the message is held, never acknowledged", async () => {
		const retries =
			'{ retries: { some: { duration: 20ms, maxRetries: 2, matching: { httpStatusCodes: "500-599" } } } }';
		await using line = await startGuarded(retries, "{ inbound: { retry: some } }", {
			app: {
				rules: [
					{ status: 400, payloads: ["bad"] },
					{ status: 503, payloads: ["busy"] },
				],
			},
			fields: { holdInterval: "1h" },
		});
		await line.device.publish("in/a", "bad");
		await line.device.publish("in/a", "busy");
		await line.device.publish("in/a", "good");
		await line.app.acceptedAtLeast(1);
		await expect.poll(() => logged(line.sidecar, "held").length).toBe(2);
		const posts = line.app.requests().filter(({ method }) => method === "POST");
		const times = (text: string) => posts.filter(({ payload }) => payload.toString() === text).length;
		expect([times("bad"), times("busy"), times("good")]).toEqual([1, 3, 1]);
		expect(await unacknowledged(line)).toBe(2);
	});

	test("a timeout gives the call up, and the message is refused", async () => {
		await using line = await startGuarded("{ timeouts: { short: 200ms } }", "{ inbound: { timeout: short } }", {
			app: { rules: [{ end: "hang", payloads: ["slow"] }] },
		});
		await line.device.publish("in/a", "slow");
		const [, why] = await line.sidecar.line(
			/(the app did not answer within 200ms \(timeout \\"short\\"\)).* code=held /,
		);
		expect(why).toBeDefined();
		expect(await unacknowledged(line)).toBe(1);
	});

	test("an open breaker lets nothing through and costs no attempts; when it closes all that waited arrives", async () => {
		const breaker = '{ circuitBreakers: { fuse: { timeout: 2s, trip: "consecutiveFailures >= 3" } } }';
		await using line = await startGuarded(breaker, "{ inbound: { circuitBreaker: fuse } }", {
			app: { rules: [{ status: 500 }] },
			fields: { maxInFlight: 1, backOffMaxRetries: -1, backOffInterval: "100ms" },
		});
		await line.device.publishAll(50, (index) => ({ topic: "in/a", payload: String(index) }));
		expect(await untilReason(line.sidecar, "circuit-breaker-open")).toMatchObject({ component: "orders" });
		const paused = await untilReason(line.sidecar, "paused");
		expect(paused.message).toContain('circuit breaker "fuse" is open');
		const before = line.app.requests().length;
		// Well within the breaker's two seconds.
		await delay(1_000);
		expect(line.app.requests().length).toBe(before);
		await line.app.answer({});
		expect(distinct(texts(await line.app.acceptedAtLeast(50)))).toEqual(numbers(50));
		expect(line.app.accepted()).toHaveLength(50);
		await untilReady(line.sidecar);
		expect(await unacknowledged(line)).toBe(0);
	});

	test("what an open breaker holds back is not refused: only the messages that the app saw are held", async () => {
		const breaker = '{ circuitBreakers: { fuse: { timeout: 500ms, trip: "consecutiveFailures >= 3" } } }';
		await using line = await startGuarded(breaker, "{ inbound: { circuitBreaker: fuse } }", {
			app: { rules: [{ status: 500, payloads: ["0", "1", "2"] }] },
			fields: { maxInFlight: 1, backOffMaxRetries: 0, holdInterval: "1h" },
		});
		await line.device.publishAll(50, (index) => ({ topic: "in/a", payload: String(index) }));
		expect(distinct(texts(await line.app.acceptedAtLeast(47)))).toHaveLength(47);
		const refused = texts(line.app.requests().filter(({ status }) => status === 500));
		expect(refused).toEqual(["0", "1", "2"]);
		expect(await unacknowledged(line)).toBe(3);
	});

	test("a stop does not wait for a retry that is to come", async () => {
		const retries = "{ retries: { slow: { duration: 1m } } }";
		await using line = await startGuarded(retries, "{ inbound: { retry: slow } }", {
			app: { rules: [{ status: 500 }] },
		});
		await line.device.publish("in/a", "1");
		await expect.poll(() => line.app.requests().filter(({ method }) => method === "POST").length).toBe(1);
		const startedAt = performance.now();
		expect((await line.sidecar.stop()).code).toBe(0);
		// Below the grace period of five seconds.
		expect(performance.now() - startedAt).toBeLessThan(4_000);
	});
});

describeWith("mosquitto", "outbound policies", () => {
	test("what could not be sent is tried again; what left us is not, unless its code is named", async () => {
		const policies = "{ timeouts: { short: 300ms }, retries: { quick: { duration: 100ms, maxRetries: 20 } } }";
		await using line = await startGuarded(policies, "{ outbound: { timeout: short, retry: quick } }");
		const { broker, sidecar } = line;
		await using observer = await connectDevice(broker.url);
		await observer.subscribe("out/x");
		broker.freeze();
		const frozen = await create(line, 1);
		expect(frozen.status).toBe(500);
		expect(((await frozen.json()) as { message: string }).message).toContain(": outcome unknown: ");
		broker.thaw();
		await observer.received(1);

		const matching = policies.replace("maxRetries: 20", 'maxRetries: 20, matching: { gRPCStatusCodes: "4,14" }');
		await setPolicies(line, matching, "{ outbound: { timeout: short, retry: quick } }");
		await expect.poll(() => logged(sidecar, "resiliency-reloaded").length, { timeout: 10_000 }).toBe(2);
		broker.freeze();
		const asked = create(line, 2);
		// Longer than one attempt.
		await delay(700);
		broker.thaw();
		expect((await asked).status).toBe(204);
		const arrived = texts(await observer.received(3));
		expect(arrived.filter((text) => text === "1")).toHaveLength(1);
		expect(arrived.filter((text) => text === "2").length).toBeGreaterThan(1);
	});

	test("a broker that comes late is waited for with as many attempts as there may be", async () => {
		const port = await freePort();
		const policies = "{ timeouts: { short: 100ms }, retries: { few: { duration: 20ms, maxRetries: 2 } } }";
		const text = resiliency(policies, "{ outbound: { timeout: short, retry: few } }");
		const components = component({ url: `tcp://127.0.0.1:${port}` }) + text;
		await using sidecar = await startSidecar({ components });
		const startedAt = performance.now();
		const answer = await create({ sidecar }, 1);
		expect(((await answer.json()) as { message: string }).message).toContain(": not sent: ");
		// Three attempts of 100 ms, two pauses of 20.
		expect(performance.now() - startedAt).toBeGreaterThan(330);
	});

	test("an open breaker answers at once that nothing was sent", async () => {
		const port = await freePort();
		const policies = '{ timeouts: { short: 50ms }, circuitBreakers: { fuse: { trip: "consecutiveFailures > 1" } } }';
		const text = resiliency(policies, "{ outbound: { timeout: short, circuitBreaker: fuse } }");
		await using sidecar = await startSidecar({ components: component({ url: `tcp://127.0.0.1:${port}` }) + text });
		for (let index = 0; index < 2; index++) await create({ sidecar }, index);
		const answer = await create({ sidecar }, 3);
		expect(answer.status).toBe(500);
		expect(((await answer.json()) as { message: string }).message).toBe(
			'error invoking output binding orders: not sent: circuit breaker "fuse" is open, as calls before failed',
		);
		expect(await untilReason(sidecar, "circuit-breaker-open")).toMatchObject({ blocking: false });
		// A caller's mistake says nothing of the broker.
		expect((await sidecar.create("orders", { operation: "none" })).status).toBe(500);
	});

	test("without a target the policies with a default name hold", async () => {
		const port = await freePort();
		const text = resiliency("{ timeouts: { DefaultComponentOutboundTimeoutPolicy: 50ms } }", "{}").replace(
			/ {2}targets.*\n/,
			"",
		);
		await using sidecar = await startSidecar({ components: component({ url: `tcp://127.0.0.1:${port}` }) + text });
		const startedAt = performance.now();
		expect((await create({ sidecar }, 1)).status).toBe(500);
		// publishTimeout is ten seconds.
		expect(performance.now() - startedAt).toBeLessThan(5_000);
	});
});

/** What mosquitto sends again when the sidecar is gone and somebody else takes its session. */
async function unacknowledged({ broker, sidecar }: Line): Promise<number> {
	await sidecar.stop();
	await using other = await connectDevice(broker.url, { clientId: "sidecar-orders", clean: false });
	// What is behind them has come when this has.
	await other.subscribe("last");
	await other.publish("last", "last");
	await expect.poll(() => texts(other.messages).includes("last")).toBe(true);
	return other.messages.filter(({ topic }) => topic !== "last").length;
}
