import type { Report } from "../bindings/binding.js";
import type { ConfigurationError } from "../errors.js";
import type { AppInputs } from "./app-inputs.js";
import { changesOf } from "./component-changes.js";
import { type InitOptions, initBinding, problemsOf, refuseSharedConnection } from "./init-bindings.js";
import type { LoadedBinding } from "./loaded-binding.js";
import type { ResolvedComponent, RuntimeOptions } from "./runtime.js";

/** Handlers that run are waited for so long where the grace period has no end: meanwhile the component reads nothing. */
const LONGEST_GRACE_MS = 30_000;
/** Calls that the broker has not answered are waited for so long. */
const CALLS_MS = 5_000;

/** The host whose components are exchanged. */
export interface ReloadHost {
	readonly options: InitOptions & Pick<RuntimeOptions, "gracePeriodMs">;
	/** By name; changed here. */
	readonly bindings: Map<string, LoadedBinding>;
	/** Absent: no app. */
	readonly app: AppInputs | undefined;
	/** Aborts when the host itself waits for handlers no longer. */
	readonly ending: AbortSignal;
	/** False: it stops, nothing more is started. */
	isRunning(): boolean;
}

/** What a reload has done. */
export interface ReloadResult {
	readonly added: readonly string[];
	readonly changed: readonly string[];
	readonly removed: readonly string[];
	/** Why components stayed as they were, one for each thing that is wrong. */
	readonly refused: readonly ConfigurationError[];
}

/** A component's binding before and after. */
interface Succession {
	readonly name: string;
	readonly before: LoadedBinding | undefined;
	readonly after: LoadedBinding | undefined;
	/** What differs. */
	readonly fields: readonly string[];
}

/**
 * Makes the host run the wanted components: each new binding is initialised first, and where that fails the old one goes on; then the
 * old one hands nothing more over, its handlers and calls end, it disconnects, and the new one goes on with its session. What has not
 * changed is not touched. Components that are not wanted are closed where `removes` says so. Never rejects for what is wrong in a component.
 */
export async function reload(
	wanted: readonly ResolvedComponent[],
	removes: (name: string) => boolean,
	host: ReloadHost,
): Promise<ReloadResult> {
	const running = [...host.bindings.values()].map(({ component }) => component);
	const changes = changesOf(running, wanted);
	const removed = changes.removed.filter(removes);
	const leaving = [...changes.changed.map(({ component }) => component.name), ...removed];
	const replaced = leaving.map((name) => host.bindings.get(name)!.binding);
	const refused: ConfigurationError[] = [];
	const made: Succession[] = [];
	for (const { component, fields } of [...changes.added.map(asAdded), ...changes.changed]) {
		const { name } = component;
		try {
			const after = await initBinding(component, replaced, host.options);
			made.push({ name, before: host.bindings.get(name), after, fields });
		} catch (error) {
			refused.push(...problemsOf(error, component));
		}
	}
	const compatible = await refuseClashes(made, removed, host, refused);
	const successions = [
		...removed.map((name) => ({ name, before: host.bindings.get(name), after: undefined, fields: [] })),
		...compatible,
	];
	if (host.isRunning()) await succeed(successions, host);
	else await Promise.allSettled(compatible.map(({ after }) => after?.binding.close()));
	const names = (some: readonly Succession[]) => some.map(({ name }) => name);
	return {
		added: names(compatible.filter(({ before }) => before === undefined)),
		changed: names(compatible.filter(({ before }) => before !== undefined)),
		removed,
		refused,
	};
}

function asAdded(component: ResolvedComponent) {
	return { component, fields: [] };
}

/** Leaves out those that would use the connection of what stays, or of one that comes before them; what they were to replace then stays too. */
async function refuseClashes(
	made: readonly Succession[],
	removed: readonly string[],
	host: ReloadHost,
	refused: ConfigurationError[],
): Promise<readonly Succession[]> {
	let compatible = made;
	for (;;) {
		const leaving = new Set([...removed, ...compatible.map(({ name }) => name)]);
		const others = [...host.bindings].filter(([name]) => !leaving.has(name)).map(([, loaded]) => loaded);
		const kept: Succession[] = [];
		for (const succession of compatible) {
			const after = succession.after!;
			try {
				refuseSharedConnection(after, others);
				others.push(after);
				kept.push(succession);
			} catch (error) {
				refused.push(...problemsOf(error, after.component));
				await after.binding.close();
			}
		}
		// One that was left out keeps what runs, and with it a connection that another may have counted on.
		if (kept.length === compatible.length) return kept;
		compatible = kept;
	}
}

async function succeed(successions: readonly Succession[], host: ReloadHost): Promise<void> {
	const retired = new Map<LoadedBinding, Promise<boolean>>();
	for (const succession of successions) {
		if (succession.before !== undefined) retired.set(succession.before, retire(succession, host));
	}
	await Promise.all(
		successions.map(async ({ name, before, after, fields }) => {
			const wasRead = before === undefined ? false : await retired.get(before)!;
			if (after === undefined) return;
			// Its identifiers at the broker must be free.
			await Promise.all([...retired].map(([old, gone]) => (after.sharedWith(old) === undefined ? undefined : gone)));
			host.bindings.set(name, after);
			if (!host.isRunning()) return;
			after.binding.start();
			if (after.binding.reads !== "never") {
				const isWanted = wasRead && before!.binding.route === after.binding.route;
				host.app?.add({ name, binding: after.binding, isWanted });
			}
			const { source } = after.component;
			const what = before === undefined ? `added (${source})` : `changed (${source}: ${fields.join(", ")})`;
			report(host, name, "info", "component-reloaded", `component "${name}" ${what}, and taken up`);
		}),
	);
	for (const { name, before, after } of successions) {
		if (before === undefined) continue;
		warnOfSessionLeft(before, successions, host);
		if (after === undefined) report(host, name, "info", "component-removed", `component "${name}" was removed`);
	}
}

/** Ends the old binding in order. Resolves when it is gone, with whether the app took its events. */
async function retire({ name, before, after }: Succession, host: ReloadHost): Promise<boolean> {
	const { binding } = before!;
	const wasRead = host.app?.remove(name) ?? false;
	const graceMs = Math.min(host.options.gracePeriodMs || LONGEST_GRACE_MS, LONGEST_GRACE_MS);
	const finished = await binding.drain(AbortSignal.any([host.ending, AbortSignal.timeout(graceMs)]));
	if (!finished) {
		const message = `component "${name}" was changed while the app worked on messages of it for longer than ${graceMs / 1_000} s: the broker sends them again`;
		report(host, name, "warn", "reload-unfinished", message);
	}
	// New calls wait in the new one until it is connected; those under way get their answers from the old one.
	if (after === undefined) host.bindings.delete(name);
	else host.bindings.set(name, after);
	const answers = binding.statistics().connections.some(({ isOnline }) => isOnline);
	if (answers) await before!.untilIdle(AbortSignal.any([host.ending, AbortSignal.timeout(CALLS_MS)]));
	await binding.close().catch(() => {});
	return wasRead;
}

/** Nobody goes on with it: the broker keeps what it holds, and goes on filling it. */
function warnOfSessionLeft(before: LoadedBinding, successions: readonly Succession[], host: ReloadHost): void {
	const successors = successions.flatMap(({ after }) => after?.binding.connections ?? []);
	const left = before.binding.connections.find(
		({ broker, clientId, keepsSession }) =>
			keepsSession && !successors.some((next) => next.broker === broker && next.clientId === clientId),
	);
	if (left === undefined) return;
	const { name } = before.component;
	report(
		host,
		name,
		"warn",
		"session-left",
		`component "${name}": its session as ${JSON.stringify(left.clientId)} stays at ${left.broker} and goes on filling: what it holds is delivered once a component has that consumerID and url again; or remove it at the broker`,
	);
}

function report(host: ReloadHost, component: string, level: Report["level"], code: string, message: string): void {
	host.options.onReport?.(component, { level, code, message });
}
