import { lstat, mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startBroker } from "../../../src/broker/broker.js";
import { type ComponentProcessOptions, launchComponent, startComponent } from "../../support/component-process.js";
import { Daprd, failureOf } from "../../support/daprd.js";
import { eventually } from "../../support/eventually.js";
import { tempFolder } from "../../support/temp-folder.js";

function properties(url: string, more: Readonly<Record<string, string>> = {}) {
	return { url, topic: "in/#", consumerID: "plugged", ...more };
}

/** The exit code of a start that fails, and what it said. */
async function failedStart(options: ComponentProcessOptions): Promise<readonly [number | null, string]> {
	await using component = await launchComponent(options);
	const { code } = await component.exited;
	return [code, component.output.join("\n")];
}

test("a start that can't work ends with one line that says what is wrong: folder, path, name, mode", async () => {
	await using folder = await tempFolder({ file: "" });
	await mkdir(join(folder.path, "real"));
	await symlink(join(folder.path, "real"), join(folder.path, "link"));
	await writeFile(join(folder.path, "taken.sock"), "");
	const { path } = folder;
	const starts: readonly (readonly [ComponentProcessOptions, RegExp])[] = [
		[{ folder: join(path, "none") }, /--socket-folder: .*none: there is no such folder: make it first$/],
		[{ folder: join(path, "file") }, /--socket-folder: .*file: it is no folder$/],
		[{ folder: join(path, "link") }, /--socket-folder: .*link: it is a symbolic link: name the folder itself$/],
		[{ folder: path, names: ["taken"] }, /--socket-folder: .*taken\.sock: a file is there that is no socket$/],
		[
			{ folder: path, names: ["n".repeat(120)] },
			/--socket-folder: .*: this path has \d+ bytes, and a socket's may have 10[37]: choose a shorter one$/,
		],
		[{ names: ["a/b"] }, /--name "a\/b": expected the type without "\/" and folder: mqtt3$/],
		[{ names: ["bindings.mqtt3"] }, /--name "bindings\.mqtt3": daprd adds "bindings\." itself; did you mean mqtt3\?$/],
		[{ names: ["MQTT3"] }, /--name "MQTT3": daprd looks types up in lower case; did you mean mqtt3\?$/],
		[{ args: ["--socket-mode", "999"] }, /--socket-mode "999": expected permissions in octal.*0660$/],
		[{ args: ["--sockt-folder", "x"] }, /unknown flag --sockt-folder; did you mean --socket-folder\?$/],
		[{ args: ["--state-dir", join(path, "file")] }, /--state-dir: .*file .*$/],
	];
	for (const [options, words] of starts) {
		const [code, output] = await failedStart(options);
		expect([output, code]).toEqual([expect.stringMatching(words), 1]);
		expect(output.split("\n")).toHaveLength(1);
	}
});

test("two components on one socket: the second is refused, the first goes on", async () => {
	await using broker = await startBroker();
	await using component = await startComponent();
	const [code, output] = await failedStart({ folder: component.folder });
	expect([code, output]).toEqual([1, expect.stringMatching(/mqtt3\.sock: another process listens on it$/)]);
	await using daprd = await Daprd.start({ socket: component.socket, properties: properties(broker.url) });
	await daprd.ping("input");
});

test("the socket file of a killed component is replaced, and one that somebody removed is made again", async () => {
	await using component = await startComponent({ args: ["--socket-mode", "0600"] });
	await component.kill();
	expect(await readdir(component.folder)).toEqual(["mqtt3.sock"]);
	await component.start();
	expect((await lstat(component.socket)).mode & 0o777).toBe(0o600);
	await using daprd = await Daprd.create({ socket: component.socket, properties: {} });
	expect(await daprd.discover()).toContain("dapr.proto.components.v1.InputBinding");
});

test("the folder is where daprd's own variable says, then where the injector's do", async () => {
	await using folder = await tempFolder();
	const env = {
		DAPR_COMPONENTS_SOCKETS_FOLDER: undefined,
		DAPR_COMPONENT_SOCKETS_FOLDER: folder.path,
		DAPR_COMPONENT_SOCKET_FOLDER: "/nowhere",
	};
	await using component = await startComponent({ args: ["--socket-folder="], env });
	expect(await readdir(folder.path)).toEqual(["mqtt3.sock"]);
	await component.stop();
});

test("kill -9 of daprd with events at the app: nothing is acknowledged, the connection stays, the next daprd gets them", async () => {
	await using broker = await startBroker();
	await using component = await startComponent();
	const options = { socket: component.socket, properties: properties(broker.url) };
	const first = await Daprd.start({ ...options, app: () => new Promise(() => {}) });
	await first.ping("input");
	for (const payload of ["a", "b", "c"]) await broker.publish("in/x", payload);
	await eventually(() => expect(first.events).toHaveLength(3));
	first.kill();
	await component.line(/daprd ended its Read/);
	await using second = await Daprd.start(options);
	await eventually(() => expect(second.events.map(({ data }) => data.toString())).toEqual(["a", "b", "c"]));
	expect(second.events.map(({ metadata }) => metadata.attempt)).toEqual([undefined, undefined, undefined]);
	await first[Symbol.asyncDispose]();
});

test("after its own restart Invoke and Read say what daprd has to do; nothing is lost", async () => {
	await using broker = await startBroker();
	await using component = await startComponent();
	await using daprd = await Daprd.start({
		socket: component.socket,
		properties: properties(broker.url),
		app: () => new Promise(() => {}),
	});
	await daprd.ping("input");
	await broker.publish("in/x", "a");
	await eventually(() => expect(daprd.events).toHaveLength(1));
	await component.kill();
	await eventually(() => expect(daprd.ended).toHaveLength(1));
	await component.start();
	await eventually(async () =>
		expect(await failureOf(daprd.invoke({ metadata: { topic: "out" } }))).toMatchObject({
			code: "FAILED_PRECONDITION",
			details: expect.stringMatching(/daprd sends Init only when it starts.*restart daprd.*--state-dir/),
		}),
	);
	await component.line(
		/daprd uses the output and has not initialized it.*restart daprd.*--state-dir.*component=orders/,
	);
	await daprd.init();
	await component.line(/daprd initialized the input.*component=orders/);
	daprd.read();
	await eventually(() => expect(daprd.events.map(({ data }) => data.toString())).toEqual(["a", "a"]));
});

test("with --state-dir output works again after a restart, and the log says what the input needs; secrets are for the owner alone", async () => {
	await using broker = await startBroker({ username: "u", password: "pass-word" });
	await using state = await tempFolder();
	const folder = join(state.path, "state");
	await using component = await startComponent({ args: ["--state-dir", folder] });
	const given = properties(broker.url, { username: "u", password: "pass-word" });
	await using daprd = await Daprd.start({ socket: component.socket, properties: given });
	await daprd.ping("output");
	const [file = "", ...others] = await readdir(folder);
	expect(others).toEqual([]);
	expect((await lstat(folder)).mode & 0o777).toBe(0o700);
	expect((await lstat(join(folder, file))).mode & 0o777).toBe(0o600);
	await component.kill();
	await component.start();
	await component.line(/component \\"orders\\" was read before this process started.*restart daprd/);
	await eventually(() => daprd.invoke({ metadata: { topic: "out" } }));
	await component.line(/output goes on with the properties that daprd sent before/);
	expect(component.output.join("\n")).not.toContain("pass-word");
});

test("a file in --state-dir that can't be read is left out by name, without its words", async () => {
	await using state = await tempFolder({ "x.json": '{"name":"orders","input":{"password":"pass-word"' });
	await using component = await startComponent({ args: ["--state-dir", state.path] });
	await component.line(/x\.json can't be read and is left out/);
	expect(component.output.join("\n")).not.toContain("pass-word");
});

test("a graceful stop waits for daprd's answers, acknowledges them, and hands nothing more over", async () => {
	await using broker = await startBroker();
	await using component = await startComponent();
	const finish = new Map<string, () => void>();
	const options = { socket: component.socket, properties: properties(broker.url) };
	await using daprd = await Daprd.start({
		...options,
		app: ({ data }) => new Promise((resolve) => finish.set(data.toString(), () => resolve(undefined))),
	});
	await daprd.ping("input");
	await broker.publish("in/x", "a");
	await eventually(() => expect(daprd.events).toHaveLength(1));
	const stopped = component.stop();
	await component.line(/stopping: SIGTERM/);
	await broker.publish("in/x", "b");
	finish.get("a")?.();
	expect(await stopped).toEqual({ code: 0, signal: null });
	expect(daprd.ended).toMatchObject([{ details: /this component stops/ }]);
	await component.start();
	await using again = await Daprd.start(options);
	await eventually(() => expect(again.events.map(({ data }) => data.toString())).toEqual(["b"]));
});

test("a stop with an event that daprd never answers ends after the grace period with 1, and the broker keeps the event", async () => {
	await using broker = await startBroker();
	await using component = await startComponent({ args: ["--graceful-shutdown-seconds", "1"] });
	const options = { socket: component.socket, properties: properties(broker.url) };
	await using daprd = await Daprd.start({ ...options, app: () => new Promise(() => {}) });
	await daprd.ping("input");
	await broker.publish("in/x", "a");
	await eventually(() => expect(daprd.events).toHaveLength(1));
	expect(await component.stop()).toEqual({ code: 1, signal: null });
	await component.start();
	await using again = await Daprd.start(options);
	await eventually(() => expect(again.events.map(({ data }) => data.toString())).toEqual(["a"]));
});

test("--metrics-port serves the figures of every component that daprd initialized", async () => {
	await using broker = await startBroker();
	await using component = await startComponent({ args: ["--metrics-port", "0"] });
	await using daprd = await Daprd.start({ socket: component.socket, properties: properties(broker.url) });
	await daprd.ping("input");
	expect(await component.metrics()).toMatch(/mqtt3_binding_\w+\{[^}]*component="orders"/);
});
