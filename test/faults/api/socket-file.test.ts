import { lstat, mkdir, rm } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { HealthService } from "../../../src/gen/grpc/health/v1/health.js";
import { component } from "../../integration/sidecar/component.js";
import { eventually } from "../../support/eventually.js";
import { GrpcCaller } from "../../support/grpc-caller.js";
import { launchSidecar } from "../../support/sidecar-process.js";
import { tempFolder } from "../../support/temp-folder.js";
import { fault } from "../support/fault.js";
import { playSquatters } from "../support/squatters.js";

const COMPONENTS = component({ url: "mqtt://127.0.0.1:1" });
const FILE = "dapr-test-app-http.socket";
const GRPC_FILE = "dapr-test-app-grpc.socket";

const launch = (folder: string) => launchSidecar({ components: COMPONENTS, args: ["--unix-domain-socket", folder] });

/** The status of GET /v1.0/healthz/outbound on a socket file. */
function statusOn(socketPath: string): Promise<number | undefined> {
	return new Promise((resolve, reject) => {
		const call = request({ socketPath, path: "/v1.0/healthz/outbound", headers: { host: "localhost" } }, (answer) => {
			answer.resume();
			resolve(answer.statusCode);
		});
		call.on("error", reject).end();
	});
}

/** Whether the health service of the gRPC API answers on a socket file. */
async function serves(path: string): Promise<boolean> {
	using caller = new GrpcCaller(`unix:${path}`);
	return (await caller.call(HealthService.check, { service: "" })).code === "OK";
}

fault(
	{ rows: ["F-64"], injected: "the API's socket files, HTTP and gRPC, are left over from a sidecar that was killed" },
	"the next one takes their place and serves, and removes them at its end",
	async ({ seen }) => {
		await using folder = await tempFolder();
		const path = join(folder.path, FILE);
		await using first = await launch(folder.path);
		await first.line(/listening on unix:/);
		await first.kill();
		const grpcPath = join(folder.path, GRPC_FILE);
		for (const left of [path, grpcPath]) expect((await lstat(left)).isSocket()).toBe(true);
		await using second = await launch(folder.path);
		await second.line(/listening on unix:/);
		expect(await statusOn(path)).toBe(204);
		expect(await serves(grpcPath)).toBe(true);
		await second.stop();
		for (const gone of [path, grpcPath]) await expect(lstat(gone)).rejects.toThrow("ENOENT");
		seen("the left-over files were replaced, HTTP and gRPC answer on them, both gone after the stop");
	},
);

fault(
	{
		rows: ["F-64"],
		injected:
			"on the API's path is somebody else's server, a plain file, or a symlink; the folder is a symlink, or everybody may write there",
	},
	"all but the last end the start with a word that names the path, and leave what is there; the last is a warning",
	async ({ seen }) => {
		const refusedIn = async (folder: string) => {
			await using sidecar = await launch(folder);
			expect((await sidecar.exited).code).toBe(1);
			return sidecar.output.find((line) => line.includes(folder)) ?? "";
		};
		const warnedIn = async (folder: string) => {
			await using sidecar = await launch(folder);
			const [warning] = await sidecar.line(/level=warning.*open.*/);
			await sidecar.line(/listening on unix:/);
			return warning;
		};
		seen(await playSquatters({ file: FILE, refusedIn, warnedIn }));
	},
);

fault(
	{
		rows: ["F-64"],
		injected:
			"the API's socket files, HTTP and gRPC, are removed while the sidecar runs; then its whole folder is, and made again",
	},
	"it is made again, with a line in the log; without the folder that is said once, and tried until it is there",
	async ({ seen }) => {
		await using parent = await tempFolder();
		const folder = join(parent.path, "sockets");
		await mkdir(folder, { mode: 0o700 });
		const path = join(folder, FILE);
		await using sidecar = await launch(folder);
		await sidecar.line(/listening on unix:/);
		const answers = () => eventually(async () => expect(await statusOn(path)).toBe(204), { timeoutMs: 15_000 });
		await rm(path);
		await rm(join(folder, GRPC_FILE));
		await answers();
		await eventually(async () => expect(await serves(join(folder, GRPC_FILE))).toBe(true), { timeoutMs: 15_000 });
		const made = (line: string) => line.includes(`${path} was removed, and is made again`);
		await eventually(() => expect(sidecar.output.filter(made)).toHaveLength(1));
		await rm(folder, { recursive: true });
		const [trouble] = await sidecar.line(/there is no such folder.*tried again every second/);
		await sleep(2_500);
		expect(sidecar.output.filter((line) => line.includes("tried again every second"))).toHaveLength(1);
		await mkdir(folder, { mode: 0o700 });
		await answers();
		await eventually(() => expect(sidecar.output.filter(made)).toHaveLength(2));
		expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
		await expect(lstat(path)).rejects.toThrow("ENOENT");
		seen(`made again twice, 204 on it each time; without the folder: "${trouble}", once; gone after the stop`);
	},
	60_000,
);
