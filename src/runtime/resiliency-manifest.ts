import { z } from "zod";
import { formatDuration, parseDuration } from "../bindings/duration.js";
import { nearestName } from "../bindings/nearest-name.js";
import { ConfigurationError } from "../errors.js";
import type { PolicyNames, ResiliencySettings } from "../resiliency/resiliency.js";
import type { RetrySettings, StatusRange } from "../resiliency/retry-delays.js";
import { defaultTrip, readTrip, TRIP_VARIABLES } from "../resiliency/trip.js";
import type { ComponentDocument } from "./component-loader.js";
import { filledText, formatPath, kindOf, list, map, text } from "./document-shape.js";
import type { Findings } from "./findings.js";

/** dapr: pkg/resiliency/resiliency.go and kit, retry/retry.go */
const DEFAULTS = { durationMs: 5_000, maxIntervalMs: 60_000, maxRetries: -1, breakerTimeoutMs: 60_000 } as const;
/** What a timer takes. */
const LONGEST_MS = 2 ** 31 - 1;

/** Go's form; a whole number alone is milliseconds. dapr: kit, config/decode.go */
const duration = text.transform((written, context) => {
	const trimmed = written.trim();
	const ms = /^\d+$/.test(trimmed) ? Number(trimmed) : parseDuration(trimmed);
	if (ms !== undefined && ms <= LONGEST_MS && !/^\d+\.\d+$/.test(trimmed)) return ms;
	const message = `is ${JSON.stringify(written)}, expected a duration as 5s, 1m30s or 250ms, at most ${formatDuration(LONGEST_MS)}`;
	context.addIssue({ code: "custom", message });
	return z.NEVER;
});

function whole(least: number) {
	return text.transform((written, context) => {
		if (/^-?\d{1,9}$/.test(written.trim()) && Number(written) >= least) return Number(written);
		context.addIssue({
			code: "custom",
			message: `is ${JSON.stringify(written)}, expected a whole number from ${least} on`,
		});
		return z.NEVER;
	});
}

/** `429,500-599`. */
const ranges = text.transform((written, context) => {
	const found: StatusRange[] = [];
	for (const part of written.split(",")) {
		const [, first, last = first] = /^\s*(\d{1,3})(?:\s*-\s*(\d{1,3}))?\s*$/.exec(part) ?? [];
		if (first === undefined || Number(last) < Number(first)) {
			const message = `is ${JSON.stringify(written)}, expected statuses and ranges as 429,500-599`;
			context.addIssue({ code: "custom", message });
			return z.NEVER;
		}
		found.push([Number(first), Number(last)]);
	}
	return found;
});

/** Free names → values of one shape. */
function named<Item extends z.ZodType>(item: Item) {
	return z
		.preprocess(
			(value) =>
				value instanceof Map ? Object.fromEntries([...value].map(([key, field]) => [String(key), field])) : value,
			z.record(z.string(), item, { error: ({ input }) => `is ${kindOf(input)}, expected a map` }),
		)
		.default({});
}

const policyNames = map({ timeout: text.optional(), retry: text.optional(), circuitBreaker: text.optional() });

const resiliencyShape = map({
	metadata: map({ name: filledText.optional() }).optional(),
	spec: map({
		policies: map({
			timeouts: named(duration),
			retries: named(
				map({
					policy: text
						.optional()
						.transform((policy) => policy?.toLowerCase() || "constant")
						.pipe(
							z.enum(["constant", "exponential"], {
								error: ({ input }) => `is ${JSON.stringify(input)}, expected constant or exponential`,
							}),
						),
					duration: duration.optional(),
					maxInterval: duration.optional(),
					maxRetries: whole(-1).optional(),
					matching: map({ httpStatusCodes: ranges.optional(), gRPCStatusCodes: ranges.optional() }).optional(),
				}),
			),
			circuitBreakers: named(
				map({
					maxRequests: whole(0).optional(),
					interval: duration.optional(),
					timeout: duration.optional(),
					trip: text.optional(),
				}),
			),
		}).optional(),
		targets: map({
			apps: named(z.unknown()),
			actors: named(z.unknown()),
			components: named(map({ inbound: policyNames.optional(), outbound: policyNames.optional() })),
		}).optional(),
	}),
	scopes: list(text),
});

type Drafted = Omit<ResiliencySettings, "fingerprint">;
type Draft = {
	-readonly [Name in keyof Drafted]: Drafted[Name] extends ReadonlyMap<infer Key, infer Value>
		? Map<Key, Value>
		: never;
};

/**
 * Takes the Resiliency resources together: of two policies or targets of one name the later one counts, as in Dapr. What is wrong in one of them is among
 * the findings. `onWarning` hears of what has no effect.
 */
export async function readResiliency(
	documents: readonly ComponentDocument[],
	findings: Findings,
	onWarning: (message: string) => void,
): Promise<ResiliencySettings> {
	const settings: Draft = {
		timeouts: new Map(),
		retries: new Map(),
		circuitBreakers: new Map(),
		components: new Map(),
	};
	const sources = new Map<string, string>();
	for (const document of documents) await add(document, settings, sources, findings, onWarning);
	for (const [component, target] of settings.components) {
		for (const [direction, names] of Object.entries(target)) {
			if (names === undefined) continue;
			const where = `${sources.get(component)}: target ${JSON.stringify(component)}, ${direction}`;
			checkNames(where, names, settings, findings, onWarning);
		}
	}
	return {
		...settings,
		fingerprint: JSON.stringify(
			documents.map(({ content }) => content),
			plain,
		),
	};
}

/** For JSON. */
function plain(_: string, value: unknown): unknown {
	if (value instanceof Map) return [...value];
	return typeof value === "bigint" ? String(value) : value;
}

async function add(
	document: ComponentDocument,
	settings: Draft,
	sources: Map<string, string>,
	findings: Findings,
	onWarning: (message: string) => void,
): Promise<void> {
	const problem = (path: readonly PropertyKey[], message: string) =>
		findings.add([
			new ConfigurationError(`resiliency (${document.source(path)}): ${formatPath(path)} ${message}`, {
				property: formatPath(path),
			}),
		]);
	const shape = await resiliencyShape.safeParseAsync(document.content);
	if (!shape.success) {
		for (const { path, message } of shape.error.issues) problem(path, message);
		return;
	}
	const { policies, targets } = shape.data.spec;
	for (const [name, ms] of Object.entries(policies?.timeouts ?? {})) settings.timeouts.set(name, ms);
	for (const [name, retry] of Object.entries(policies?.retries ?? {})) settings.retries.set(name, retryOf(name, retry));
	for (const [name, breaker] of Object.entries(policies?.circuitBreakers ?? {})) {
		const { maxRequests, interval, timeout, trip } = breaker;
		const trips = trip ? readTrip(trip) : defaultTrip;
		try {
			settings.circuitBreakers.set(name, {
				name,
				maxRequests: maxRequests || 1,
				intervalMs: interval ?? 0,
				timeoutMs: timeout || DEFAULTS.breakerTimeoutMs,
				trips: await trips,
			});
		} catch (error) {
			const path = ["spec", "policies", "circuitBreakers", name, "trip"];
			const reason = error instanceof Error ? error.message : String(error);
			const expected = `expected a condition over ${TRIP_VARIABLES.join(", ")}, as consecutiveFailures > 5`;
			problem(path, `is ${JSON.stringify(trip)}: ${reason}; ${expected}`);
		}
	}
	for (const [name, target] of Object.entries(targets?.components ?? {})) {
		settings.components.set(name, target);
		sources.set(name, document.source(["spec", "targets", "components", name]));
	}
	for (const kind of ["apps", "actors"] as const) {
		if (Object.keys(targets?.[kind] ?? {}).length === 0) continue;
		const where = document.source(["spec", "targets", kind]);
		onWarning(
			`${where}: targets.${kind} has no effect here: it is for calls from app to app; messages of a binding go by targets.components.<name>.inbound`,
		);
	}
}

function retryOf(
	name: string,
	{ policy, duration: durationMs, maxInterval, maxRetries, matching }: RetryShape,
): RetrySettings {
	return {
		name,
		policy,
		durationMs: durationMs ?? DEFAULTS.durationMs,
		maxIntervalMs: maxInterval ?? DEFAULTS.maxIntervalMs,
		maxRetries: maxRetries ?? DEFAULTS.maxRetries,
		...(matching?.httpStatusCodes && { httpStatusCodes: matching.httpStatusCodes }),
		...(matching?.gRPCStatusCodes && { grpcStatusCodes: matching.gRPCStatusCodes }),
	};
}

type RetryShape = NonNullable<z.infer<typeof resiliencyShape>["spec"]["policies"]>["retries"][string];

/** In Dapr an unknown timeout or retry is passed over; an unknown breaker ends it. */
function checkNames(
	where: string,
	{ timeout, retry, circuitBreaker }: PolicyNames,
	settings: Drafted,
	findings: Findings,
	onWarning: (message: string) => void,
): void {
	const unknown = (kind: string, name: string, known: ReadonlyMap<string, unknown>) => {
		const near = nearestName(name, [...known.keys()]);
		return `${where}: there is no ${kind} ${JSON.stringify(name)}${near === undefined ? "" : `, did you mean ${JSON.stringify(near)}`}`;
	};
	if (timeout && !settings.timeouts.has(timeout)) {
		onWarning(`${unknown("timeout", timeout, settings.timeouts)}; none holds, as in Dapr`);
	}
	if (retry && !settings.retries.has(retry)) {
		onWarning(`${unknown("retry", retry, settings.retries)}; nothing is retried, as in Dapr`);
	}
	if (circuitBreaker && !settings.circuitBreakers.has(circuitBreaker)) {
		const message = unknown("circuit breaker", circuitBreaker, settings.circuitBreakers);
		findings.add([new ConfigurationError(message, { property: "circuitBreaker" })]);
	}
}
