import { describe, expect, it } from "vitest";
import { component, load } from "../../test/support/load-components.js";
import { tempFolder } from "../../test/support/temp-folder.js";
import { loadComponents } from "./load-components.js";
import { Registry } from "./registry.js";

const HEAD = "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata: {name: r}\n";
const orders = component("orders");

async function settingsOf(files: Readonly<Record<string, string>>) {
	await using folder = await tempFolder({ "a.yaml": orders, ...files });
	const registry = new Registry().binding("bindings.mqtt3", () => {
		throw new Error("loading makes no binding");
	});
	const options = { paths: [folder.path], appId: "app", env: {}, registry, onWarning: () => {} };
	return (await loadComponents(options)).resiliency;
}

describe("a Resiliency resource", () => {
	it("is read with Dapr's defaults and units", async () => {
		const { timeouts, retries, circuitBreakers, components } = await settingsOf({
			"r.yaml": `${HEAD}spec:
  policies:
    timeouts: {fast: 500ms, bare: 250, long: 1m}
    retries:
      plain: {}
      slow: {policy: exponential, maxInterval: 15s, maxRetries: 10, matching: {httpStatusCodes: "429,500-599", gRPCStatusCodes: "1-4,14"}}
    circuitBreakers:
      plain: {}
      full: {maxRequests: 3, interval: 8s, timeout: 45s, trip: consecutiveFailures > 8}
  targets:
    components:
      orders: {inbound: {timeout: fast, retry: slow, circuitBreaker: full}, outbound: {retry: plain}}
`,
		});
		expect([...timeouts]).toEqual([
			["fast", 500],
			["bare", 250],
			["long", 60_000],
		]);
		expect(retries.get("plain")).toEqual({
			name: "plain",
			policy: "constant",
			durationMs: 5_000,
			maxIntervalMs: 60_000,
			maxRetries: -1,
		});
		expect(retries.get("slow")).toMatchObject({
			policy: "exponential",
			maxIntervalMs: 15_000,
			maxRetries: 10,
			httpStatusCodes: [
				[429, 429],
				[500, 599],
			],
			grpcStatusCodes: [
				[1, 4],
				[14, 14],
			],
		});
		expect(circuitBreakers.get("plain")).toMatchObject({ maxRequests: 1, intervalMs: 0, timeoutMs: 60_000 });
		expect(circuitBreakers.get("full")).toMatchObject({ maxRequests: 3, intervalMs: 8_000, timeoutMs: 45_000 });
		expect(components.get("orders")?.inbound).toEqual({ timeout: "fast", retry: "slow", circuitBreaker: "full" });
	});

	it("of several the later one counts for each name, and those of other apps do not count", async () => {
		const { timeouts } = await settingsOf({
			"b.yaml": `${HEAD}spec: {policies: {timeouts: {a: 1s, b: 1s}}}\n`,
			"c.yaml": `${HEAD}spec: {policies: {timeouts: {b: 2s}}}\n`,
			"d.yaml": `${HEAD}scopes: [other]\nspec: {policies: {timeouts: {b: 3s, c: 3s}}}\n`,
		});
		expect(Object.fromEntries(timeouts)).toEqual({ a: 1_000, b: 2_000 });
	});

	it("has a fingerprint that changes with its content alone", async () => {
		const [one, same, other] = await Promise.all([
			settingsOf({ "r.yaml": `${HEAD}spec: {policies: {timeouts: {a: 1s}}}\n` }),
			settingsOf({ "s.yaml": `# the same\n${HEAD}spec:\n  policies: {timeouts: {a: 1s}}\n` }),
			settingsOf({ "r.yaml": `${HEAD}spec: {policies: {timeouts: {a: 2s}}}\n` }),
		]);
		expect(same.fingerprint).toBe(one.fingerprint);
		expect(other.fingerprint).not.toBe(one.fingerprint);
	});

	it("tells everything that is wrong, each with its place", async () => {
		const { problems } = await load({
			"a.yaml": orders,
			"r.yaml": `${HEAD}spec:
  policies:
    timeouts: {a: soon, b: 1.5}
    retries:
      r: {policy: linear, maxRetries: many, matching: {httpStatusCodes: 5xx}}
    circuitBreakers:
      c: {trip: consecutiveFailurs > 5}
  targets:
    components: [orders]
`,
		});
		expect(problems).toEqual([
			'resiliency (r.yaml:6): spec.policies.timeouts.a is "soon", expected a duration as 5s, 1m30s or 250ms, at most 596h31m23s647ms',
			'resiliency (r.yaml:6): spec.policies.timeouts.b is "1.5", expected a duration as 5s, 1m30s or 250ms, at most 596h31m23s647ms',
			'resiliency (r.yaml:8): spec.policies.retries.r.policy is "linear", expected constant or exponential',
			'resiliency (r.yaml:8): spec.policies.retries.r.maxRetries is "many", expected a whole number from -1 on',
			'resiliency (r.yaml:8): spec.policies.retries.r.matching.httpStatusCodes is "5xx", expected statuses and ranges as 429,500-599',
			'resiliency (r.yaml:10): spec.policies.circuitBreakers.c.trip is "consecutiveFailurs > 5": Unknown variable: consecutiveFailurs; expected a condition over requests, totalSuccesses, totalFailures, consecutiveSuccesses, consecutiveFailures, as consecutiveFailures > 5',
			"resiliency (r.yaml:12): spec.targets.components is a list, expected a map",
		]);
	});

	it("fields that nobody reads and targets that are not there are warned about", async () => {
		const { problems, warnings } = await load({
			"a.yaml": orders,
			"r.yaml": `${HEAD}spec:
  policies:
    retries: {r: {maxRetires: 3}}
  targets:
    components:
      ordres: {inbuond: {retry: r}}
    apps: {}
  other: {}
`,
		});
		expect(problems).toEqual([]);
		expect(warnings).toEqual([
			'resiliency (r.yaml:6): spec.policies.retries.r.maxRetires is unknown and has no effect, did you mean "maxRetries"',
			'resiliency (r.yaml:9): spec.targets.components.ordres.inbuond is unknown and has no effect, did you mean "inbound"',
			"resiliency (r.yaml:11): spec.other is unknown and has no effect",
			'resiliency (r.yaml:9): there is no component "ordres", did you mean "orders"',
		]);
	});

	it("an unknown breaker is an error, an unknown timeout or retry a warning, targets.apps has no effect", async () => {
		const { problems, warnings } = await load({
			"a.yaml": orders,
			"r.yaml": `${HEAD}spec:
  policies: {timeouts: {fast: 1s}, circuitBreakers: {simpleCB: {}}}
  targets:
    apps: {app: {timeout: fast}}
    components:
      orders: {inbound: {timeout: fats, retry: r, circuitBreaker: simpelCB}}
`,
		});
		expect(problems).toEqual([
			'resiliency (r.yaml:9): there is no circuit breaker "simpelCB", did you mean "simpleCB"',
		]);
		expect(warnings).toEqual([
			"resiliency (r.yaml:7): targets.apps has no effect here: it is for calls from app to app; messages of a binding go by targets.components.<name>.inbound",
			'resiliency (r.yaml:9): there is no timeout "fats", did you mean "fast"; none holds, as in Dapr',
			'resiliency (r.yaml:9): there is no retry "r"; nothing is retried, as in Dapr',
		]);
	});
});
