import { chown, lstat, mkdir, readdir, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect } from "vitest";
import { type ComponentProcess, launchComponent, startComponent } from "../../support/component-process.js";
import { Daprd } from "../../support/daprd.js";
import { eventually } from "../../support/eventually.js";
import { describeWith } from "../../support/left-out.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice } from "../../support/mqtt-device.js";
import { tempFolder } from "../../support/temp-folder.js";
import { smallDisk } from "../process/small-disk.js";
import { fault } from "../support/fault.js";
import { playSquatters } from "../support/squatters.js";

const FILE = "mqtt3.sock";
const NOBODY = 65_534;

/** Whether daprd would find the component there. */
async function isFound({ socket }: ComponentProcess): Promise<boolean> {
	await using daprd = await Daprd.create({ socket, properties: {} });
	return (await daprd.discover()).includes("dapr.proto.components.v1.InputBinding");
}

/** What a start in `folder` that fails says last. */
async function refusedIn(folder: string): Promise<string> {
	await using component = await launchComponent({ folder });
	expect((await component.exited).code).toBe(1);
	return component.output.at(-1)!;
}

fault(
	{
		rows: ["F-64", "S-24"],
		injected: "the component's socket file is left over from a process that was killed with messages at daprd's app",
	},
	"the next process takes its place, daprd finds it there, and all that was not accepted comes again",
	async ({ seen }) => {
		await using broker = await startMosquitto();
		await using device = await connectDevice(broker.url);
		await using component = await startComponent();
		const options = {
			socket: component.socket,
			properties: { url: broker.url, topic: "in/#", consumerID: "plugged" },
		};
		await using first = await Daprd.start({ ...options, app: () => new Promise(() => {}) });
		await first.ping("input");
		await device.publishAll(10, (index) => ({ topic: "in/a", payload: String(index) }));
		await eventually(() => expect(first.events).toHaveLength(10));
		await component.kill();
		const left = await lstat(component.socket);
		expect(left.isSocket()).toBe(true);
		await component.start();
		expect((await lstat(component.socket)).ino).not.toBe(left.ino);
		await using second = await Daprd.start(options);
		await eventually(() => expect(second.events).toHaveLength(10));
		expect(await component.stop()).toEqual({ code: 0, signal: null });
		expect(await readdir(component.folder)).toEqual([]);
		seen("the left-over file was replaced; 10 of 10 came to the next daprd; gone after the stop");
	},
);

fault(
	{
		rows: ["F-64"],
		injected:
			"on the component's path is somebody else's server, a plain file, or a symlink; the folder is a symlink, or everybody may write there",
	},
	"all but the last end the start with a word that names the path, and leave what is there; the last is a warning",
	async ({ seen }) => {
		const warnedIn = async (folder: string) => {
			await using component = await startComponent({ folder });
			const [warning] = await component.line(/level=warning.*open.*/);
			expect(await isFound(component)).toBe(true);
			return warning;
		};
		seen(await playSquatters({ file: FILE, refusedIn, warnedIn }));
	},
);

fault(
	{
		rows: ["F-64"],
		injected: "the component's socket file is removed while it runs; then its whole folder is, and made again",
	},
	"it is made again, with a line in the log, and the Read that was open goes on; without the folder that is said once, and tried until it is there",
	async ({ seen }) => {
		await using parent = await tempFolder();
		const folder = join(parent.path, "sockets");
		await mkdir(folder, { mode: 0o700 });
		await using broker = await startMosquitto();
		await using device = await connectDevice(broker.url);
		await using component = await startComponent({ folder });
		await using daprd = await Daprd.start({
			socket: component.socket,
			properties: { url: broker.url, topic: "in/#", consumerID: "plugged" },
		});
		await daprd.ping("input");
		const found = () => eventually(async () => expect(await isFound(component)).toBe(true), { timeoutMs: 15_000 });
		await rm(component.socket);
		await found();
		await rm(folder, { recursive: true });
		const [trouble] = await component.line(/there is no such folder.*tried again every second/);
		await mkdir(folder, { mode: 0o700 });
		await found();
		await device.publish("in/a", "1");
		await eventually(() => expect(daprd.events).toHaveLength(1));
		const made = component.output.filter((line) => line.includes(`${component.socket} was removed, and is made again`));
		expect(made).toHaveLength(2);
		expect(await component.stop()).toEqual({ code: 0, signal: null });
		seen(
			`made again twice, found each time, the open Read went on; without the folder: "${/msg="([^"]*)/.exec(trouble)?.[1]?.replaceAll(parent.path, "…")}"`,
		);
	},
	60_000,
);

describeWith("mount", "disks without room", () => {
	fault(
		{
			rows: ["S-49"],
			injected:
				"the folder for the component's socket file is read-only, or without room; on its path is another user's socket; then --state-dir has no room",
		},
		"the start ends with a word that names path and reason; where only the state can't be kept, that is said and the component serves",
		async ({ seen }) => {
			await using readOnly = await smallDisk(64, "ro");
			await using full = await smallDisk(64, "nr_inodes=1");
			await using foreign = await tempFolder();
			const server = createServer();
			await new Promise<void>((resolve) => server.listen(join(foreign.path, FILE), resolve));
			await chown(join(foreign.path, FILE), NOBODY, NOBODY);
			const said: string[] = [];
			for (const [path, words] of [
				[readOnly.path, /EROFS|read-only/i],
				[full.path, /ENOSPC|no room|no space/i],
				[foreign.path, /a socket of another user is there/],
			] as const) {
				const line = await refusedIn(path);
				expect(line).toContain(path);
				expect(line).toMatch(words);
				said.push(line.replaceAll(path, "…"));
			}
			await new Promise((resolve) => server.close(resolve));
			await using small = await smallDisk(64);
			const state = join(small.path, "state");
			await mkdir(state, { mode: 0o700 });
			small.fill();
			await using broker = await startMosquitto();
			await using component = await startComponent({ args: ["--state-dir", state] });
			await using daprd = await Daprd.start({
				socket: component.socket,
				properties: { url: broker.url, topic: "in/#", consumerID: "plugged" },
			});
			const [line] = await component.line(/properties of component.*could not be kept \(ENOSPC\)/);
			await daprd.invoke({ metadata: { topic: "in/a" } });
			await eventually(() => expect(daprd.events).toHaveLength(1));
			seen(`${said.join("; ")}; and "${/msg="((?:[^"\\]|\\.)*)/.exec(line)?.[1]}", with both halves working`);
		},
	);
});
