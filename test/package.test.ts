import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compile } from "./docs/compile.js";
import { startProgram } from "./support/process.js";
import { type TempFolder, tempFolder } from "./support/temp-folder.js";

const ROOT = join(import.meta.dirname, "..");
const MAX_BYTES = 1_000_000;

const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
	readonly version: string;
	readonly bin: Readonly<Record<string, string>>;
	readonly dependencies: Readonly<Record<string, string>>;
};

/** What `npm pack --json` says. */
interface Packed {
	readonly filename: string;
	readonly size: number;
	readonly files: readonly { readonly path: string }[];
}

let work: TempFolder;
let packed: Packed;

beforeAll(async () => {
	work = await tempFolder();
	const { stdout, stderr, status } = spawnSync("npm", ["pack", "--json", "--pack-destination", work.path], {
		cwd: ROOT,
		encoding: "utf8",
	});
	expect(status, stderr).toBe(0);
	[packed] = JSON.parse(stdout) as [Packed];
});
afterAll(() => work[Symbol.asyncDispose]());

/** A folder in which the packed package is installed as npm does it, with these packages beside it; nothing is fetched. */
async function install(packages: readonly string[]): Promise<TempFolder> {
	const folder = await tempFolder({ "package.json": "{}" });
	const modules = join(folder.path, "node_modules");
	const own = join(modules, "mqtt3-binding");
	await mkdir(own, { recursive: true });
	const archive = join(work.path, packed.filename);
	const { status, stderr } = spawnSync("tar", ["-xzf", archive, "-C", own, "--strip-components=1"], {
		encoding: "utf8",
	});
	expect(status, stderr).toBe(0);
	for (const name of packages) {
		await mkdir(dirname(join(modules, name)), { recursive: true });
		await symlink(join(ROOT, "node_modules", name), join(modules, name), "dir");
	}
	await mkdir(join(modules, ".bin"));
	for (const [name, file] of Object.entries(manifest.bin)) {
		await chmod(join(own, file), 0o755);
		await symlink(join("..", "mqtt3-binding", file), join(modules, ".bin", name));
	}
	return folder;
}

/** Runs a command to its end; its output. */
async function run(folder: TempFolder, command: string, ...args: readonly string[]): Promise<readonly string[]> {
	await using program = startProgram(command, args, { cwd: folder.path });
	expect(await program.exited, program.output.join("\n")).toEqual({ code: 0, signal: null });
	return program.output;
}

describe("the package", () => {
	it("holds what a user needs: the program for every source, the demo's component, the words", () => {
		const compiled = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" })
			.filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
			.flatMap((file) => [`dist/${file.slice(0, -3)}.js`, `dist/${file.slice(0, -3)}.d.ts`]);
		const others = ["CHANGELOG.md", "LICENSE", "README.md", "demo/components/boiler.yaml", "package.json"];
		expect(packed.files.map(({ path }) => path).sort()).toEqual([...others, ...compiled].sort());
	});

	it("is small", () => {
		expect(packed.size).toBeLessThan(MAX_BYTES);
	});

	it("its command runs where its dependencies are and nothing else", async () => {
		await using folder = await install(Object.keys(manifest.dependencies));
		const command = join(folder.path, "node_modules", ".bin", "mqtt3-binding");
		expect(await run(folder, command, "--version")).toEqual([manifest.version]);
		const output = await run(folder, command, "demo", "--messages", "1");
		expect(output.at(-1)).toMatch(/^1 reading published, 1 at the app, 1 command back at the device/);
	});

	it("says which package is to be installed where secrets are in Kubernetes", async () => {
		await using folder = await install(Object.keys(manifest.dependencies));
		await folder.write(
			"c/store.yaml",
			"apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: cluster }\nspec:\n  type: secretstores.kubernetes\n  metadata: [{ name: defaultNamespace, value: shop }]\n",
		);
		const command = join(folder.path, "node_modules", ".bin", "mqtt3-binding");
		const { status, stdout } = spawnSync(command, ["validate", "c"], { cwd: folder.path, encoding: "utf8" });
		expect(stdout).toContain("needs a package that is installed apart: npm install @kubernetes/client-node");
		expect(status).toBe(1);
	});

	it("the library loads without any other package", async () => {
		await using folder = await install([]);
		await writeFile(join(folder.path, "program.mjs"), PROGRAM);
		expect(await run(folder, process.execPath, "program.mjs")).toEqual(["not-connected"]);
	});

	it("a CommonJS program can import() it, and require() it", async () => {
		await using folder = await install(Object.keys(manifest.dependencies));
		await writeFile(join(folder.path, "program.cjs"), COMMON_JS);
		expect(await run(folder, process.execPath, "program.cjs")).toEqual([
			"function function",
			"function function",
			"true",
		]);
	});
});

describe("its types", () => {
	it.each([
		["an ES module, nodenext", "program.mts", ["--module", "nodenext"]],
		["an ES module, node16", "program.mts", ["--module", "node16"]],
		["a CommonJS module, nodenext", "program.cts", ["--module", "nodenext"]],
		["what a bundler reads", "program.ts", ["--module", "esnext", "--moduleResolution", "bundler"]],
	])("check in %s", async (_name, file, flags) => {
		// Without the types of our dependencies, which users do not have.
		await using folder = await install(["@types/node"]);
		await writeFile(join(folder.path, file), TYPES);
		expect(compile(folder.path, [file], [...flags, "--noEmit", "--exactOptionalPropertyTypes"])).toBe("");
	});

	it("tell a wrong option from a right one", async () => {
		await using folder = await install(["@types/node"]);
		await writeFile(join(folder.path, "program.mts"), TYPES.replace("qos: 1", 'qos: "1"'));
		expect(compile(folder.path, ["program.mts"], ["--module", "nodenext", "--noEmit"])).toContain("error TS2322");
	});

	it("check in a CommonJS module under node16, which knows no require() of ES modules, by import()", async () => {
		await using folder = await install(["@types/node"]);
		await writeFile(join(folder.path, "program.cts"), COMMON_JS_TYPES);
		expect(compile(folder.path, ["program.cts"], ["--module", "node16", "--noEmit"])).toBe("");
	});
});

const PROGRAM = `
import { createBinding } from "mqtt3-binding";
const binding = createBinding({ url: "tcp://127.0.0.1:1", topic: "a", clientId: "a" });
console.log(binding.health()[0].code);
await binding.close();
`;

const COMMON_JS = `
const { createBinding, MqttClient } = require("mqtt3-binding");
console.log(typeof createBinding, typeof MqttClient);
Promise.all([import("mqtt3-binding"), import("mqtt3-binding/broker")]).then(([library, { startBroker }]) => {
	console.log(typeof library.createBinding, typeof startBroker);
	console.log(library.createBinding === createBinding);
});
`;

const TYPES = `
import { BindingError, createBinding, type Message, MqttClient, type MessageDelivery, PublishError } from "mqtt3-binding";
import { type Broker, startBroker } from "mqtt3-binding/broker";

export async function main(signal: AbortSignal): Promise<void> {
	const broker: Broker = await startBroker({ port: 0 });
	const binding = createBinding({ url: broker.url, topic: "a/#", clientId: "a", qos: 1, keepAliveMs: 5_000 }, signal);
	await binding.receive(async (message: Message) => {
		const length: number = message.data.length;
		await binding.create({ topic: "b", data: String(length), retain: true });
	});
	const off: () => void = binding.on("held", ({ message, details }) => console.log(message, details));
	off();
	for await (const delivery of binding.deliveries()) {
		const one: MessageDelivery = delivery;
		one.ack();
	}
	try {
		await binding.create({});
	} catch (error) {
		if (error instanceof PublishError) console.log(error.outcome satisfies "not-sent" | "unknown");
		else if (error instanceof BindingError) console.log(error.code);
	}
	const drained: boolean = await binding.close({ graceMs: 100 });
	console.log(drained, MqttClient.name);
	await broker.close();
}
`;

const COMMON_JS_TYPES = `
import type { Mqtt3Options, TypedBinding } from "mqtt3-binding" with { "resolution-mode": "import" };

export async function open(options: Mqtt3Options): Promise<TypedBinding> {
	const { createBinding } = await import("mqtt3-binding");
	return createBinding(options);
}
`;
