import { describe, expect, it } from "vitest";
import type { RuntimeHealth } from "../runtime/runtime.js";
import { METRICS } from "./metric-table.js";
import { type Measured, Metrics } from "./metrics.js";

const health: RuntimeHealth = {
	ready: false,
	outboundReady: true,
	started: true,
	reasons: [{ code: "held", message: '2 messages on topic "secret/topic"', blocking: false, component: "orders" }],
};
const runtime: Measured = {
	components: [{ name: "orders", type: "bindings.mqtt3", version: "v1", capabilities: [] }],
	health: () => health,
	appState: "away",
	statistics: () => [
		{
			component: "orders",
			statistics: {
				connections: [
					{
						role: "both",
						isOnline: true,
						isTakenOver: false,
						isSubscribed: false,
						connects: 3,
						losses: { reset: 2, "connack-5": 1 },
						sessionsLost: 1,
						publishesPending: 4,
						lateAnswers: 5,
						unexpectedAnswers: 6,
					},
				],
				certificateDays: { client: 12.5 },
				isUnverified: true,
			},
		},
	],
};

function metrics(): Metrics {
	return new Metrics({ appId: 'a"b', namespace: "shop", logLinesDropped: () => 7 });
}

describe("a scrape", () => {
	it("shows what the runtime says now, with app and namespace at each value", async () => {
		using made = metrics();
		const { contentType, text } = await made.scrape(runtime);
		expect(contentType).toContain("text/plain; version=0.0.4");
		const rest = 'app_id="a\\"b",namespace="shop"';
		for (const line of [
			`mqtt3_binding_ready{${rest}} 0`,
			`mqtt3_binding_app_reachable{${rest}} 0`,
			`mqtt3_binding_connection_losses_total{component="orders",connection="both",cause="connack-5",${rest}} 1`,
			`mqtt3_binding_late_answers_total{component="orders",connection="both",${rest}} 5`,
			`mqtt3_binding_unexpected_answers_total{component="orders",connection="both",${rest}} 6`,
			`mqtt3_binding_subscribed{component="orders",connection="both",${rest}} 0`,
			`mqtt3_binding_certificate_days_left{component="orders",certificate="client",${rest}} 12.5`,
			`mqtt3_binding_reasons{component="orders",code="held",blocking="false",${rest}} 1`,
			`mqtt3_binding_log_lines_dropped_total{${rest}} 7`,
			`dapr_runtime_component_init_total{component="bindings.mqtt3",${rest}} 1`,
		]) {
			expect(text.split("\n")).toContain(line);
		}
		expect(text).not.toContain("secret/topic");
	});

	it("shows calls with Dapr's names: a count, and buckets that add up", async () => {
		using made = metrics();
		made.meter.delivered("orders", 3.5, true);
		made.meter.delivered("orders", 700, true);
		made.meter.delivered("orders", 1, false);
		made.meter.invoked("orders", "create", 2, true);
		const { text } = await made.scrape(runtime);
		const value = (start: string) =>
			text
				.split("\n")
				.find((line) => line.startsWith(start))
				?.split(" ")
				.at(-1);
		const accepted = 'component="orders",success="true"';
		expect(value(`dapr_component_input_binding_count{${accepted}`)).toBe("2");
		expect(value('dapr_component_input_binding_count{component="orders",success="false"')).toBe("1");
		const bucket = (le: string) => value(`dapr_component_input_binding_latencies_bucket{${accepted},le="${le}"`);
		expect(["3", "4", "650", "800", "+Inf"].map(bucket)).toEqual(["0", "1", "1", "2", "2"]);
		expect(value(`dapr_component_input_binding_latencies_sum{${accepted}`)).toBe("703.5");
		expect(value(`dapr_component_input_binding_latencies_count{${accepted}`)).toBe("2");
		expect(value('dapr_component_output_binding_count{component="orders",operation="create",success="true"')).toBe("1");
	});

	it("counts from the start, however often it is read", async () => {
		using made = metrics();
		made.report("orders", { level: "warn", code: "disconnected", message: "x" });
		await made.scrape(runtime);
		made.report("orders", { level: "warn", code: "disconnected", message: "y" });
		const { text } = await made.scrape(runtime);
		expect(text).toMatch(/mqtt3_binding_reports_total\{component="orders",code="disconnected",level="warn",.*\} 2/);
		expect(text).toMatch(/mqtt3_binding_connects_total\{.*\} 3/);
	});

	it("gives every metric of the table, with its help", async () => {
		using made = metrics();
		const { text } = await made.scrape(runtime);
		for (const { name, help } of METRICS) expect(text).toContain(`# HELP ${name} ${help}\n`);
		expect(text).toContain("process_resident_memory_bytes");
	});
});

it("no metric has a label for what messages bring", () => {
	const labels = new Set(METRICS.flatMap((metric) => metric.labels));
	expect([...labels].sort()).toEqual([
		"blocking",
		"cause",
		"certificate",
		"code",
		"component",
		"connection",
		"level",
		"operation",
		"reason",
		"success",
	]);
});
