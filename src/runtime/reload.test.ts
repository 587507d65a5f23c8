import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { HttpApp } from "../../test/support/http-app.js";
import { MemoryBinding, type MemoryBindingOptions } from "../../test/support/memory-binding.js";
import type { InvokeRequest, InvokeResponse, Report } from "../bindings/binding.js";
import { ConfigurationError, PublishError, StateError } from "../errors.js";
import { createHttpChannel } from "./http-channel.js";
import { Registry } from "./registry.js";
import { type ResolvedComponent, Runtime, type RuntimeOptions } from "./runtime.js";

/** A component of the test: `id` is its client identifier. */
function component(name: string, properties: Readonly<Record<string, string>> = {}): ResolvedComponent {
	return {
		name,
		type: "bindings.test",
		version: "v1",
		properties: { id: name, ...properties },
		sources: {},
		source: `${name}.yaml:1`,
		ignoreErrors: false,
	};
}

/** Connects with the client identifier that its metadata names, and is wrong where it says so. */
class TestBinding extends MemoryBinding {
	override async init(metadata: Parameters<MemoryBinding["init"]>[0]) {
		await super.init(metadata);
		if (metadata.properties.wrong !== undefined) throw new ConfigurationError(`wrong ${metadata.name}`);
		return [];
	}

	override get connections() {
		const { id = "" } = this.metadata?.properties ?? {};
		return [{ broker: "tcp://broker", clientId: id, keepsSession: true }];
	}
}

async function host(
	components: readonly ResolvedComponent[],
	options: Partial<RuntimeOptions> & MemoryBindingOptions & { readonly onStart?: (name: string) => void } = {},
) {
	const bindings: TestBinding[] = [];
	const reports: Report[] = [];
	const registry = new Registry().binding("bindings.test", () => {
		const binding = new TestBinding(options);
		const start = binding.start.bind(binding);
		binding.start = () => {
			options.onStart?.(binding.metadata?.name ?? "");
			start();
		};
		bindings.push(binding);
		return binding;
	});
	const onReport = (_: string | undefined, report: Report) => void reports.push(report);
	const runtime = new Runtime({ components, registry, gracePeriodMs: 100, onReport, ...options });
	onTestFinished(() => runtime.close());
	await runtime.init();
	runtime.start();
	return { runtime, bindings, reports };
}

const all = () => true;
const none = () => false;

test("touches only what has changed, and keeps what is gone unless it may go", async () => {
	const { runtime, bindings } = await host([component("same"), component("other"), component("gone")]);
	const wanted = [component("same"), component("other", { topic: "t" }), component("new")];
	expect(await runtime.reload(wanted, none)).toEqual({ added: ["new"], changed: ["other"], removed: [], refused: [] });
	expect(bindings.map(({ closed, started }) => [closed, started])).toEqual([
		[false, 1],
		[true, 1],
		[false, 1],
		[false, 1],
		[false, 1],
	]);
	expect((await runtime.reload(wanted, all)).removed).toEqual(["gone"]);
	expect(bindings[2]?.closed).toBe(true);
	expect(runtime.components.map(({ name }) => name)).toEqual(["same", "other", "new"]);
});

test("what is wrong leaves the old one running", async () => {
	const { runtime, bindings } = await host([component("a")]);
	const { refused, changed } = await runtime.reload(
		[component("a", { wrong: "1" }), component("b", { wrong: "1" })],
		all,
	);
	expect(refused.map(({ message }) => message)).toEqual(["wrong b", "wrong a"]);
	expect(changed).toEqual([]);
	expect(bindings.map(({ closed }) => closed)).toEqual([false, true, true]);
});

test("two that exchange their client identifiers begin when both have ended", async () => {
	const order: string[] = [];
	const { runtime, bindings } = await host([component("a"), component("b")], { onStart: (name) => order.push(name) });
	order.length = 0;
	for (const [index, binding] of bindings.entries()) {
		const close = binding.close.bind(binding);
		binding.close = async () => {
			await delay(20 * (index + 1));
			order.push(`closed ${binding.metadata?.name}`);
			await close();
		};
	}
	const reloading = runtime.reload([component("a", { id: "b" }), component("b", { id: "a" })], all);
	expect((await reloading).changed).toEqual(["a", "b"]);
	// The new "a" wants what the old "b" had, which took longer.
	expect(order).toEqual(["closed a", "closed b", ...order.slice(2)]);
	expect(order.slice(2).toSorted()).toEqual(["a", "b"]);
});

test("one that would use the connection of what stays is refused, and with it who counted on its place", async () => {
	const { runtime } = await host([component("a"), component("b"), component("c")]);
	const wanted = [component("a"), component("b", { id: "a" }), component("c", { id: "b" })];
	const { refused, changed } = await runtime.reload(wanted, all);
	expect(changed).toEqual([]);
	expect(refused.map(({ component }) => component)).toEqual(["b", "c"]);
	expect(refused[1]?.message).toMatch(/c\.yaml:1.*"b" \(b\.yaml:1\).*same client identifier "b"/);
});

test("calls that the old one had not sent go to the new one, others get the old one's answer", async () => {
	class Slow extends TestBinding {
		override async invoke(request: InvokeRequest): Promise<InvokeResponse | undefined> {
			if (this.metadata?.properties.topic === undefined) {
				await delay(50);
				const outcome = request.data.length === 0 ? "not-sent" : "unknown";
				throw new PublishError("the client was closed", { outcome });
			}
			return await super.invoke(request);
		}
	}
	const bindings: Slow[] = [];
	const registry = new Registry().binding("bindings.test", () => {
		const binding = new Slow();
		bindings.push(binding);
		return binding;
	});
	const { runtime } = await host([component("a")], { registry });
	const invoke = (text: string) =>
		runtime.invokeBinding("a", { operation: "create", data: Buffer.from(text), metadata: {} });
	const [unsent, unknown] = [invoke(""), invoke("x").catch((error: PublishError) => error.outcome)];
	await runtime.reload([component("a", { topic: "t" })], all);
	await unsent;
	expect(await unknown).toBe("unknown");
	expect(bindings[1]?.invoked.map(({ data }) => data.length)).toEqual([0]);
});

test("handlers are waited for as long as the grace period, and an app that was asked is not asked again", async () => {
	let release = () => {};
	const held = new Promise<void>((resolve) => {
		release = resolve;
	});
	const app = await HttpApp.start(async ({ method }) => {
		if (method === "POST") await held;
		return 200;
	});
	onTestFinished(() => app[Symbol.asyncDispose]());
	const appChannel = createHttpChannel({ host: "127.0.0.1", port: app.port });
	const { runtime, bindings, reports } = await host([component("a")], { appChannel });
	await expect.poll(() => bindings[0]?.isReading).toBe(true);
	bindings[0]!.deliver("x");
	await expect.poll(() => app.posts.length).toBe(1);
	await runtime.reload([component("a", { topic: "t" })], all);
	expect(reports.map(({ code }) => code)).toContain("reload-unfinished");
	await expect.poll(() => bindings[1]?.isReading).toBe(true);
	release();
	expect(app.requests.filter(({ method }) => method === "OPTIONS")).toHaveLength(1);
});

test("is refused before the start and after the end", async () => {
	const { runtime } = await host([component("a")]);
	await runtime.close();
	await expect(runtime.reload([], all)).rejects.toThrow(StateError);
});

test("names the session that nobody goes on with", async () => {
	const { runtime, reports } = await host([component("a"), component("b")]);
	await runtime.reload([component("a", { id: "a2" }), component("c", { id: "b" })], all);
	const left = reports.filter(({ code }) => code === "session-left");
	expect(left.map(({ message }) => message)).toEqual([
		expect.stringMatching(/^component "a": its session as "a" stays at tcp:/),
	]);
});
