import type { BindingStatistics, ConnectionStatistics, InputStatistics } from "../bindings/binding.js";
import type { ComponentStatus, RuntimeHealth } from "../runtime/runtime.js";
import type { CallRecord } from "./call-recorder.js";
import type { ReportCount } from "./report-counts.js";

/** How everything is at the moment of a scrape. */
export interface Snapshot {
	readonly components: readonly ComponentStatus[];
	readonly health: RuntimeHealth;
	/** Absent: there is no app. */
	readonly isAppReachable: boolean | undefined;
	readonly bindings: readonly { readonly component: string; readonly statistics: BindingStatistics }[];
	readonly inputCalls: readonly CallRecord[];
	readonly outputCalls: readonly CallRecord[];
	readonly reports: Iterable<ReportCount>;
	readonly eventLoopLagMs: number;
	readonly logLinesDropped: number;
}

/** A value, and the values of the metric's labels in their order. */
export type Sample = readonly [value: number, ...labels: readonly string[]];

/** One metric. Every one has the labels `app_id` and `namespace` beside its own. */
export interface Metric {
	readonly name: string;
	/** `latencies`: a histogram in milliseconds, whose values are in the call records. */
	readonly type: "counter" | "gauge" | "latencies";
	readonly labels: readonly string[];
	/** One sentence without a full stop. */
	readonly help: string;
	readonly read: (snapshot: Snapshot) => Iterable<Sample>;
}

const count = (calls: readonly CallRecord[]) =>
	calls.flatMap(({ component, operation, succeeded, failed }): Sample[] => {
		const labels = operation === undefined ? [component] : [component, operation];
		return [
			[succeeded.count, ...labels, "true"],
			[failed.count, ...labels, "false"],
		];
	});

const eachBinding = (read: (statistics: BindingStatistics) => number | undefined) => (snapshot: Snapshot) =>
	snapshot.bindings.flatMap(({ component, statistics }): Sample[] => {
		const value = read(statistics);
		return value === undefined ? [] : [[value, component]];
	});

const eachInput = (read: (input: InputStatistics) => number | boolean) =>
	eachBinding(({ input }) => (input === undefined ? undefined : Number(read(input))));

const eachConnection = (read: (connection: ConnectionStatistics) => number | boolean) => (snapshot: Snapshot) =>
	snapshot.bindings.flatMap(({ component, statistics }) =>
		statistics.connections.map((connection): Sample => [Number(read(connection)), component, connection.role]),
	);

const COMPONENT = ["component"];
const CONNECTION = ["component", "connection"];

/** Every metric but those of the process and of Node. From it come what is scraped and the reference page. */
export const METRICS: readonly Metric[] = [
	{
		name: "dapr_component_input_binding_count",
		type: "counter",
		labels: ["component", "success"],
		help: "Events that the app has answered; success: whether it accepted them",
		read: ({ inputCalls }) => count(inputCalls),
	},
	{
		name: "dapr_component_input_binding_latencies",
		type: "latencies",
		labels: ["component", "success"],
		help: "How long the app took to answer an event, in milliseconds",
		read: () => [],
	},
	{
		name: "dapr_component_output_binding_count",
		type: "counter",
		labels: ["component", "operation", "success"],
		help: "Calls of output bindings; success: the broker has acknowledged the message",
		read: ({ outputCalls }) => count(outputCalls),
	},
	{
		name: "dapr_component_output_binding_latencies",
		type: "latencies",
		labels: ["component", "operation", "success"],
		help: "How long a call of an output binding took, in milliseconds",
		read: () => [],
	},
	{
		name: "dapr_runtime_component_loaded",
		type: "gauge",
		labels: [],
		help: "Components that were loaded",
		read: ({ components }) => [[components.length]],
	},
	{
		name: "dapr_runtime_component_init_total",
		type: "counter",
		labels: COMPONENT,
		help: "Components that were initialised, by type",
		read: ({ components }) =>
			[...new Set(components.map(({ type }) => type))].map(
				(type): Sample => [components.filter((component) => component.type === type).length, type],
			),
	},
	{
		name: "mqtt3_binding_ready",
		type: "gauge",
		labels: [],
		help: "1: ready, as /v1.0/healthz/ready says",
		read: ({ health }) => [[Number(health.ready)]],
	},
	{
		name: "mqtt3_binding_reasons",
		type: "gauge",
		labels: ["component", "code", "blocking"],
		help: "Reasons that /v1.0/healthz/ready gives now, by code; blocking: it is not ready for this",
		read: ({ health }) => countReasons(health),
	},
	{
		name: "mqtt3_binding_app_reachable",
		type: "gauge",
		labels: [],
		help: "1: the app listens, and is healthy where it is asked; absent without an app",
		read: ({ isAppReachable }) => (isAppReachable === undefined ? [] : [[Number(isAppReachable)]]),
	},
	{
		name: "mqtt3_binding_connected",
		type: "gauge",
		labels: CONNECTION,
		help: "1: connected to the broker; connection: both, or with splitConnections consumer and producer",
		read: eachConnection(({ isOnline }) => isOnline),
	},
	{
		name: "mqtt3_binding_taken_over",
		type: "gauge",
		labels: CONNECTION,
		help: "1: another client uses our client identifier, and the two evict each other",
		read: eachConnection(({ isTakenOver }) => isTakenOver),
	},
	{
		name: "mqtt3_binding_subscribed",
		type: "gauge",
		labels: CONNECTION,
		help: "1: every filter was granted with the QoS asked for, or there is none",
		read: eachConnection(({ isSubscribed }) => isSubscribed),
	},
	{
		name: "mqtt3_binding_connects_total",
		type: "counter",
		labels: CONNECTION,
		help: "Connections that the broker accepted",
		read: eachConnection(({ connects }) => connects),
	},
	{
		name: "mqtt3_binding_connection_losses_total",
		type: "counter",
		labels: [...CONNECTION, "cause"],
		help: "Attempts to connect that failed and connections that ended: closed, reset, dead (silent), refused, timeout, dns, tls, protocol, local, connack-N",
		read: ({ bindings }) =>
			bindings.flatMap(({ component, statistics }) =>
				statistics.connections.flatMap(({ role, losses }) =>
					Object.entries(losses).map(([cause, value]): Sample => [value, component, role, cause]),
				),
			),
	},
	{
		name: "mqtt3_binding_sessions_lost_total",
		type: "counter",
		labels: CONNECTION,
		help: "How often the broker had lost our session, and with it what it had queued",
		read: eachConnection(({ sessionsLost }) => sessionsLost),
	},
	{
		name: "mqtt3_binding_publishes_pending",
		type: "gauge",
		labels: CONNECTION,
		help: "Publishes that wait for the connection or for their acknowledgement, those that were given up included",
		read: eachConnection(({ publishesPending }) => publishesPending),
	},
	{
		name: "mqtt3_binding_late_answers_total",
		type: "counter",
		labels: CONNECTION,
		help: "Publishes that the broker took over after their caller had left or been told that the outcome is unknown",
		read: eachConnection(({ lateAnswers }) => lateAnswers),
	},
	{
		name: "mqtt3_binding_unexpected_answers_total",
		type: "counter",
		labels: CONNECTION,
		help: "Answers of the broker to publishes that nobody made, or that were answered before: ignored",
		read: eachConnection(({ unexpectedAnswers }) => unexpectedAnswers),
	},
	{
		name: "mqtt3_binding_in_flight",
		type: "gauge",
		labels: COMPONENT,
		help: "Messages at the app",
		read: eachInput(({ inFlight }) => inFlight),
	},
	{
		name: "mqtt3_binding_waiting",
		type: "gauge",
		labels: COMPONENT,
		help: "Messages in memory that were not handed to the app yet",
		read: eachInput(({ waiting }) => waiting),
	},
	{
		name: "mqtt3_binding_waiting_bytes",
		type: "gauge",
		labels: COMPONENT,
		help: "Their bytes, QoS 0 not counted",
		read: eachInput(({ waitingBytes }) => waitingBytes),
	},
	{
		name: "mqtt3_binding_unacknowledged",
		type: "gauge",
		labels: COMPONENT,
		help: "Messages of the present connection that are not acknowledged, wherever they are",
		read: eachInput(({ unacknowledged }) => unacknowledged),
	},
	{
		name: "mqtt3_binding_unacknowledged_bytes",
		type: "gauge",
		labels: COMPONENT,
		help: "Their bytes, as maxBuffered counts them",
		read: eachInput(({ unacknowledgedBytes }) => unacknowledgedBytes),
	},
	{
		name: "mqtt3_binding_oldest_unacknowledged_seconds",
		type: "gauge",
		labels: COMPONENT,
		help: "Age of the oldest of them; 0 without one",
		read: eachInput(({ oldestUnacknowledgedMs }) => oldestUnacknowledgedMs / 1_000),
	},
	{
		name: "mqtt3_binding_held",
		type: "gauge",
		labels: COMPONENT,
		help: "Messages that the app refused until their retries were used up, kept un-acknowledged",
		read: eachInput(({ held }) => held),
	},
	{
		name: "mqtt3_binding_held_oversized",
		type: "gauge",
		labels: COMPONENT,
		help: "Messages larger than maxPayloadSize, kept un-acknowledged and never tried",
		read: eachInput(({ heldOversized }) => heldOversized),
	},
	{
		name: "mqtt3_binding_orphans",
		type: "gauge",
		labels: COMPONENT,
		help: "Unfinished messages whose connection is gone, until the broker sends them again",
		read: eachInput(({ orphans }) => orphans),
	},
	{
		name: "mqtt3_binding_paused",
		type: "gauge",
		labels: COMPONENT,
		help: "1: nothing is handed to the app",
		read: eachInput(({ isPaused }) => isPaused),
	},
	{
		name: "mqtt3_binding_strict_order",
		type: "gauge",
		labels: COMPONENT,
		help: "1: acknowledgements leave strictly in arrival order, by configuration or because the broker insists",
		read: eachInput(({ isStrict }) => isStrict),
	},
	{
		name: "mqtt3_binding_dead_lettered_total",
		type: "counter",
		labels: COMPONENT,
		help: "Messages that were published to the dead-letter topic and acknowledged",
		read: eachInput(({ deadLettered }) => deadLettered),
	},
	{
		name: "mqtt3_binding_dead_letters_failed_total",
		type: "counter",
		labels: COMPONENT,
		help: "Dead letters that the broker did not take or may not have: their messages are held",
		read: eachInput(({ deadLettersFailed }) => deadLettersFailed),
	},
	{
		name: "mqtt3_binding_dropped_total",
		type: "counter",
		labels: ["component", "reason"],
		help: "Messages that were given up without the app's consent: retries-exhausted, drop-on (its status), oversized, unsubscribed (a filter that was left), qos0 (no room), lost-session (no room)",
		read: ({ bindings }) =>
			bindings.flatMap(({ component, statistics: { input } }) =>
				Object.entries(input?.dropped ?? {}).map(([reason, value]): Sample => [value, component, reason]),
			),
	},
	{
		name: "mqtt3_binding_stale_acknowledgements_total",
		type: "counter",
		labels: COMPONENT,
		help: "Messages that the app accepted after their connection had gone: not acknowledged, the broker sends them again",
		read: eachInput(({ staleAcknowledgements }) => staleAcknowledgements),
	},
	{
		name: "mqtt3_binding_skipped_total",
		type: "counter",
		labels: COMPONENT,
		help: "Messages passed by because maxBuffered was full; the broker sends them again",
		read: eachInput(({ skipped }) => skipped),
	},
	{
		name: "mqtt3_binding_copies_total",
		type: "counter",
		labels: COMPONENT,
		help: "Copies of a message that was still un-acknowledged on the same connection",
		read: eachInput(({ copies }) => copies),
	},
	{
		name: "mqtt3_binding_adopted_total",
		type: "counter",
		labels: COMPONENT,
		help: "Redeliveries that took over a message which was in work already",
		read: eachInput(({ adopted }) => adopted),
	},
	{
		name: "mqtt3_binding_strays_total",
		type: "counter",
		labels: COMPONENT,
		help: "Messages that match none of the component's filters",
		read: eachInput(({ strays }) => strays),
	},
	{
		name: "mqtt3_binding_certificate_days_left",
		type: "gauge",
		labels: ["component", "certificate"],
		help: "Days until our certificate expires: client (clientCert), ca (caCert); absent without one",
		read: ({ bindings }) =>
			bindings.flatMap(({ component, statistics: { certificateDays } }) =>
				Object.entries(certificateDays).map(([kind, days]): Sample => [days, component, kind]),
			),
	},
	{
		name: "mqtt3_binding_tls_unverified",
		type: "gauge",
		labels: COMPONENT,
		help: "1: the broker's certificate is not verified (insecureSkipVerify)",
		read: eachBinding(({ isUnverified }) => Number(isUnverified)),
	},
	{
		name: "mqtt3_binding_reports_total",
		type: "counter",
		labels: ["component", "code", "level"],
		help: "What was worth a line of the log, by its code, those too that the log left out",
		read: ({ reports }) =>
			[...reports].map((report): Sample => [report.count, report.component, report.code, report.level]),
	},
	{
		name: "mqtt3_binding_event_loop_lag_seconds",
		type: "gauge",
		labels: [],
		help: "The longest time in the last minute or so in which nothing was read, answered or written",
		read: ({ eventLoopLagMs }) => [[eventLoopLagMs / 1_000]],
	},
	{
		name: "mqtt3_binding_log_lines_dropped_total",
		type: "counter",
		labels: [],
		help: "Lines of the log that were lost because nobody read them or they could not be written",
		read: ({ logLinesDropped }) => [[logLinesDropped]],
	},
];

function countReasons({ reasons }: RuntimeHealth): readonly Sample[] {
	const counts = new Map<string, { readonly labels: readonly string[]; count: number }>();
	for (const { component = "", code, blocking } of reasons) {
		const labels = [component, code, String(blocking)];
		const key = labels.join(" ");
		const known = counts.get(key);
		if (known === undefined) counts.set(key, { labels, count: 1 });
		else known.count++;
	}
	return [...counts.values()].map(({ labels, count }) => [count, ...labels]);
}

/** The table of docs/reference/metrics.md. */
export function renderMetricTable(metrics: readonly Metric[]): string {
	const rows = metrics.map(({ name, type, labels, help }) => {
		const cells = [
			`\`${name}\``,
			type === "latencies" ? "histogram" : type,
			labels.map((label) => `\`${label}\``).join(", "),
		];
		return `| ${[...cells, help].join(" | ")} |\n`;
	});
	return `| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n${rows.join("")}`;
}
