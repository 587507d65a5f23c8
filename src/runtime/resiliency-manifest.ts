import { z } from "zod";
import { formatDuration, parseDuration } from "../bindings/duration.js";
import { nearestName } from "../bindings/nearest-name.js";
import { ConfigurationError } from "../errors.js";
import type { PolicyNames, ResiliencySettings } from "../resiliency/resiliency.js";
import type { RetrySettings, StatusRange } from "../resiliency/retry-delays.js";
import { defaultTrip, readTrip, TRIP_VARIABLES } from "../resiliency/trip.js";
import type { ComponentDocument } from "./component-loader.js";
import { describeUnknown, filledText, formatPath, list, map, named, text, unknownFields } from "./document-shape.js";
import type { Findings } from "./findings.js";

/** dapr: pkg/resiliency/resiliency.go and kit, retry/retry.go */
const DEFAULTS = { durationMs: 5_000, maxIntervalMs: 60_000, maxRetries: -1, breakerTimeoutMs: 60_000 } as const;
/** A word that differs in more characters was not meant. */
const MAX_SLIPS = 3;
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

const trip = text.transform(async (written, context) => {
	try {
		return written === "" ? defaultTrip : await readTrip(written);
	} catch (error) {
		const reason = error instanceof Error ? error.message : String(error);
		const expected = `expected a condition over ${TRIP_VARIABLES.join(", ")}, as consecutiveFailures > 5`;
		context.addIssue({ code: "custom", message: `is ${JSON.stringify(written)}: ${reason}; ${expected}` });
		return z.NEVER;
	}
});

const policyNames = map({ timeout: text.optional(), retry: text.optional(), circuitBreaker: text.optional() });

const resiliencyShape = map({
	apiVersion: z.unknown().optional(),
	kind: z.unknown().optional(),
	metadata: z.unknown().optional(),
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
					trip: trip.optional(),
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
 * the findings. `known` are the names that components have. `onWarning` hears of what has no effect.
 */
export async function readResiliency(
	documents: readonly ComponentDocument[],
	known: readonly string[],
	findings: Findings,
	onWarning: (message: string) => void,
): Promise<ResiliencySettings> {
	const settings: Draft = {
		timeouts: new Map(),
		retries: new Map(),
		circuitBreakers: new Map(),
		components: new Map(),
	};
	const sources = new Map<string, ComponentDocument>();
	for (const document of documents) await add(document, settings, sources, findings, onWarning);
	for (const [component, target] of settings.components) {
		const place = (...path: string[]) =>
			`resiliency (${sources.get(component)!.source(["spec", "targets", "components", component, ...path])})`;
		if (!known.includes(component)) onWarning(`${place()}: ${noSuch("component", component, known)}`);
		for (const [direction, names] of Object.entries(target)) {
			if (names !== undefined) checkNames((field) => place(direction, field), names, settings, findings, onWarning);
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
	sources: Map<string, ComponentDocument>,
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
		// Some of them are found later than others.
		const line = ({ path }: { readonly path: readonly PropertyKey[] }) =>
			Number(document.source(path).split(":").at(-1));
		const issues = shape.error.issues.toSorted((one, other) => line(one) - line(other));
		for (const { path, message } of issues) problem(path, message);
		return;
	}
	for (const field of unknownFields(resiliencyShape, document.content)) {
		onWarning(`resiliency (${document.source(field.path)}): ${describeUnknown(field)}`);
	}
	const { policies, targets } = shape.data.spec;
	for (const [name, ms] of Object.entries(policies?.timeouts ?? {})) settings.timeouts.set(name, ms);
	for (const [name, retry] of Object.entries(policies?.retries ?? {})) settings.retries.set(name, retryOf(name, retry));
	for (const [name, breaker] of Object.entries(policies?.circuitBreakers ?? {})) {
		settings.circuitBreakers.set(name, {
			name,
			maxRequests: breaker.maxRequests || 1,
			intervalMs: breaker.interval ?? 0,
			timeoutMs: breaker.timeout || DEFAULTS.breakerTimeoutMs,
			trips: breaker.trip ?? defaultTrip,
		});
	}
	for (const [name, target] of Object.entries(targets?.components ?? {})) {
		settings.components.set(name, target);
		sources.set(name, document);
	}
	for (const kind of ["apps", "actors"] as const) {
		if (Object.keys(targets?.[kind] ?? {}).length === 0) continue;
		const where = document.source(["spec", "targets", kind]);
		onWarning(
			`resiliency (${where}): targets.${kind} has no effect here: it is for calls from app to app; messages of a binding go by targets.components.<name>.inbound`,
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
	place: (field: string) => string,
	{ timeout, retry, circuitBreaker }: PolicyNames,
	{ timeouts, retries, circuitBreakers }: Drafted,
	findings: Findings,
	onWarning: (message: string) => void,
): void {
	if (timeout && !timeouts.has(timeout)) {
		onWarning(`${place("timeout")}: ${noSuch("timeout", timeout, [...timeouts.keys()])}; none holds, as in Dapr`);
	}
	if (retry && !retries.has(retry)) {
		onWarning(`${place("retry")}: ${noSuch("retry", retry, [...retries.keys()])}; nothing is retried, as in Dapr`);
	}
	if (circuitBreaker && !circuitBreakers.has(circuitBreaker)) {
		const message = noSuch("circuit breaker", circuitBreaker, [...circuitBreakers.keys()]);
		const options = { property: "circuitBreaker" };
		findings.add([new ConfigurationError(`${place("circuitBreaker")}: ${message}`, options)]);
	}
}

function noSuch(kind: string, name: string, known: readonly string[]): string {
	const near = nearestName(name, known, MAX_SLIPS);
	return `there is no ${kind} ${JSON.stringify(name)}${near === undefined ? "" : `, did you mean ${JSON.stringify(near)}`}`;
}
