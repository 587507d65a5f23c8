import type { Report } from "../bindings/binding.js";
import type { ResiliencySettings } from "../resiliency/resiliency.js";
import type { FileWatch } from "./file-watch.js";
import type { ResolvedComponent, Runtime } from "./runtime.js";
import { SharedCheck } from "./shared-check.js";

/** What stands in the component folders now. */
export interface WantedComponents {
	/** Those that could be loaded. */
	readonly components: readonly ResolvedComponent[];
	readonly resiliency: ResiliencySettings;
	/** What is wrong with others, and with files. */
	readonly problems: readonly Error[];
	/** The files that secret stores have read. */
	readonly secretFiles: readonly string[];
}

export interface ComponentReloaderOptions {
	readonly runtime: Runtime;
	/** Reads the component folders. */
	readonly load: () => Promise<WantedComponents>;
	/** Absent: files are looked at only when now() is called. */
	readonly watch: FileWatch | undefined;
	/** What holds now. */
	readonly resiliency: ResiliencySettings;
	readonly onReport: (component: string | undefined, report: Report) => void;
}

/** An editor may take a file away before it writes the new one: a component that is missing is removed when it still is so long after. */
const REMOVED_AFTER_MS = 1_000;
/** Secrets are fetched again at most so often because of connections that fail. */
const SECRETS_EVERY_MS = 5_000;
/** What a component reports when its broker may want another password. */
const CONNECTION_TROUBLE = new Set(["connect-refused", "connect-failed", "disconnected"]);

/** Takes up what changes in component files, in files that they name and in secrets, while the runtime runs. */
export class ComponentReloader {
	readonly #options: ComponentReloaderOptions;
	readonly #check = new SharedCheck(() => this.#look());
	/** Since when components that run are not in the files. */
	readonly #missing = new Map<string, number>();
	#resiliency: string;
	#problems: ReadonlySet<string> = new Set();
	#isComplete = false;
	#isStarted = false;
	/** Before start(). */
	#hasChanged = false;
	#again: NodeJS.Timeout | undefined;
	#secretsAt = -SECRETS_EVERY_MS;
	#isClosed = false;

	constructor(options: ComponentReloaderOptions) {
		this.#options = options;
		this.#resiliency = options.resiliency.fingerprint;
	}

	get #watch(): FileWatch | undefined {
		return this.#options.watch;
	}

	/** Begins. `secretFiles`: those of the first loading. */
	async start(secretFiles: readonly string[]): Promise<void> {
		this.#isStarted = true;
		await this.#watch?.follow(this.#filesOf(secretFiles));
		if (this.#hasChanged) this.soon();
	}

	/** Looks now, and takes what it finds for complete. Resolves when all is taken up. */
	async now(): Promise<void> {
		this.#isComplete = true;
		await this.#check.run();
	}

	/** To be told of everything that components report: after trouble with a connection its secrets are fetched again, as they may have changed. */
	reported(component: string | undefined, { code }: Report): void {
		if (this.#watch === undefined || component === undefined || !CONNECTION_TROUBLE.has(code)) return;
		const known = this.#options.runtime.resolved.find(({ name }) => name === component);
		if (known?.hasSecrets !== true) return;
		const waitMs = this.#secretsAt + SECRETS_EVERY_MS - performance.now();
		if (waitMs > 0) this.#later(waitMs);
		else this.soon();
	}

	close(): void {
		this.#isClosed = true;
		clearTimeout(this.#again);
		this.#watch?.close();
	}

	/** Something may have changed: looks in the background, once start() was called. */
	soon(): void {
		this.#hasChanged = true;
		if (!this.#isStarted) return;
		this.#check.run().catch((error: unknown) => {
			if (this.#isClosed) return;
			const message = `changes can't be taken up: ${error instanceof Error ? error.message : error}`;
			this.#options.onReport(undefined, { level: "error", code: "reload-failed", message });
		});
	}

	#later(ms: number): void {
		if (this.#isClosed || this.#again !== undefined) return;
		this.#again = setTimeout(() => {
			this.#again = undefined;
			this.soon();
		}, ms);
		this.#again.unref();
	}

	async #look(): Promise<void> {
		if (this.#isClosed) return;
		const { runtime, load } = this.#options;
		const isComplete = this.#isComplete;
		this.#isComplete = false;
		this.#secretsAt = performance.now();
		// What changes from here on is a change again.
		await this.#watch?.mark();
		const { components, resiliency, problems, secretFiles } = await load();
		await this.#watch?.follow(this.#filesOf(secretFiles, components));
		if (this.#isClosed) return;
		this.#note(components);
		// Who can't read one file doesn't know what is gone.
		const removes = (name: string) => problems.length === 0 && (isComplete || this.#isGone(name));
		const { refused, removed } = await runtime.reload(components, removes);
		for (const name of removed) this.#missing.delete(name);
		const isSettled = this.#missing.size === 0 || problems.length > 0;
		// What is in the way may be about to go.
		if (problems.length === 0) this.#setResiliency(resiliency);
		this.#tell(isSettled ? [...problems, ...refused] : problems);
		if (!isSettled) this.#later(REMOVED_AFTER_MS);
	}

	#setResiliency(settings: ResiliencySettings): void {
		if (settings.fingerprint === this.#resiliency) return;
		this.#resiliency = settings.fingerprint;
		this.#options.runtime.resiliency = settings;
		const message = "the resiliency policies were changed, and hold from now on";
		this.#options.onReport(undefined, { level: "info", code: "resiliency-reloaded", message });
	}

	#note(components: readonly ResolvedComponent[]): void {
		const wanted = new Set(components.map(({ name }) => name));
		const now = performance.now();
		for (const { name } of this.#options.runtime.resolved) {
			if (wanted.has(name)) this.#missing.delete(name);
			else if (!this.#missing.has(name)) this.#missing.set(name, now);
		}
	}

	#isGone(name: string): boolean {
		const since = this.#missing.get(name);
		return since !== undefined && performance.now() - since >= REMOVED_AFTER_MS - 50;
	}

	/** Each problem once, for as long as it lasts. */
	#tell(problems: readonly Error[]): void {
		const { runtime, onReport } = this.#options;
		const texts = new Set(problems.map(({ message }) => message));
		for (const text of texts) {
			if (this.#problems.has(text)) continue;
			const message = `a change can't be taken up, what runs goes on: ${text}`;
			onReport(undefined, { level: "error", code: "change-refused", message });
		}
		if (texts.size === 0 && this.#problems.size > 0) {
			const message = "the component files are in order again, and taken up";
			onReport(undefined, { level: "info", code: "change-accepted", message });
		}
		this.#problems = texts;
		runtime.outdated =
			texts.size === 0 ? undefined : `a change was not taken up, what ran before goes on: ${[...texts].join("; ")}`;
	}

	#filesOf(
		secretFiles: readonly string[],
		components: readonly ResolvedComponent[] = this.#options.runtime.resolved,
	): readonly string[] {
		return [...secretFiles, ...components.flatMap(({ files = {} }) => Object.keys(files))];
	}
}
