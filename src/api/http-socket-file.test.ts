import { chmod, lstat, readdir, rename, symlink } from "node:fs/promises";
import { createServer, request } from "node:http";
import { join } from "node:path";
import { expect, test } from "vitest";
import { eventually } from "../../test/support/eventually.js";
import { ScriptedRuntime } from "../../test/support/start-api.js";
import { tempFolder } from "../../test/support/temp-folder.js";
import { createHttpServer } from "./http-server.js";
import { Sidecar } from "./sidecar.js";

function api(socketPath: string) {
	const shutdowns: boolean[] = [];
	const warnings: string[] = [];
	const sidecar = new Sidecar({
		appId: "shop",
		runtime: new ScriptedRuntime(),
		runtimeVersion: "1.2.3",
		readiness: () => ({ ready: true, document: {} }),
		onShutdown: (force) => shutdowns.push(force),
	});
	const onWarning = (message: string) => void warnings.push(message);
	return { shutdowns, warnings, server: createHttpServer({ sidecar, port: 0, socketPath, onWarning }) };
}

function ask(socketPath: string, method: string, path: string): Promise<number | undefined> {
	return new Promise((resolve, reject) => {
		const options = { socketPath, method, path, headers: { host: "localhost" }, agent: false };
		const asked = request(options, (answer) => answer.resume().once("end", () => resolve(answer.statusCode)));
		asked.once("error", reject).end();
	});
}

/** What a process leaves behind that is killed: the file of a socket without anybody behind it. */
async function leaveBehind(path: string): Promise<void> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen({ path: `${path}.old` }, resolve));
	await rename(`${path}.old`, path);
	await new Promise((resolve) => server.close(resolve));
}

test("the API answers on a file that its group may use and others may not, alone in its folder, gone when it closes", async () => {
	await using folder = await tempFolder();
	const path = join(folder.path, "api.socket");
	const { server, warnings, shutdowns } = api(path);
	expect(await server.listen()).toEqual([`unix:${path}`]);
	expect((await lstat(path)).mode & 0o777).toBe(0o660);
	expect(await readdir(folder.path)).toEqual(["api.socket"]);
	expect(await ask(path, "GET", "/v1.0/healthz")).toBe(204);
	expect(await ask(path, "POST", "/v1.0/shutdown")).toBe(204);
	await eventually(() => expect(shutdowns).toEqual([false]));
	await server.close();
	expect([await readdir(folder.path), warnings]).toEqual([[], []]);
});

test("a file that nobody answers on any more is replaced", async () => {
	await using folder = await tempFolder();
	const path = join(folder.path, "api.socket");
	await leaveBehind(path);
	const { server } = api(path);
	await server.listen();
	expect(await ask(path, "GET", "/v1.0/healthz")).toBe(204);
	await server.close();
});

test("a file that somebody answers on, or that is no socket, stays and is an error", async () => {
	await using folder = await tempFolder({ "plain.socket": "x" });
	const path = join(folder.path, "api.socket");
	const first = api(path).server;
	await first.listen();
	await expect(api(path).server.listen()).rejects.toThrow(/api\.socket: another process listens on it$/);
	await expect(api(join(folder.path, "plain.socket")).server.listen()).rejects.toThrow(/that is no socket$/);
	expect(await ask(path, "GET", "/v1.0/healthz")).toBe(204);
	await first.close();
	expect(await readdir(folder.path)).toEqual(["plain.socket"]);
});

test("a file that came in the place of ours is left alone", async () => {
	await using folder = await tempFolder();
	const path = join(folder.path, "api.socket");
	const { server } = api(path);
	await server.listen();
	await rename(path, `${path}.away`);
	await leaveBehind(path);
	await server.close();
	expect((await readdir(folder.path)).sort()).toEqual(["api.socket", "api.socket.away"]);
});

test("a folder that is a link, none at all, or too long a path is an error; one that others may write in a warning", async () => {
	await using folder = await tempFolder();
	await symlink(".", join(folder.path, "link"));
	const listenIn = (path: string) => api(join(path, "api.socket")).server.listen();
	await expect(listenIn(join(folder.path, "link"))).rejects.toThrow(
		/link: it is a symbolic link: name the folder itself$/,
	);
	await expect(listenIn(join(folder.path, "none"))).rejects.toThrow(/none: there is no such folder: make it first$/);
	await expect(listenIn(join(folder.path, "x".repeat(107)))).rejects.toThrow(
		/this path has \d+ bytes, and a socket's may have 10[37]: choose a shorter one$/,
	);
	await chmod(folder.path, 0o777);
	const { server, warnings } = api(join(folder.path, "api.socket"));
	await server.listen();
	await server.close();
	expect(warnings).toEqual([expect.stringContaining(`others may replace the socket file in ${folder.path}`)]);
});
