import { once } from "node:events";
import { lstat, readdir } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { eventually } from "../../test/support/eventually.js";
import { GrpcCaller } from "../../test/support/grpc-caller.js";
import { startGrpcApi } from "../../test/support/start-grpc-api.js";
import { tempFolder } from "../../test/support/temp-folder.js";
import type { Cancellation } from "../bindings/binding.js";
import { ConfigurationError } from "../errors.js";
import { DaprService } from "../gen/dapr/proto/runtime/v1/dapr.js";

describe("listen", () => {
	test("both loopback addresses answer, on one port", async ({ skip }) => {
		await using api = await startGrpcApi();
		const { targets, port } = api;
		if (targets.length < 2) return skip("this machine has no ::1");
		expect(targets).toEqual([`127.0.0.1:${port}`, `[::1]:${port}`]);
		for (const target of targets) {
			using caller = new GrpcCaller(target);
			expect((await caller.create()).code).toBe("OK");
		}
	});

	test("a port that is taken is an error that names the flag", async () => {
		const taken = createServer().listen(0, "127.0.0.1");
		await once(taken, "listening");
		const { port } = taken.address() as { port: number };
		const refused = new RegExp(
			`^gRPC API: port ${port} is in use on 127\\.0\\.0\\.1; choose another with --dapr-grpc-port$`,
		);
		await expect(startGrpcApi({ port })).rejects.toThrow(refused);
		taken.close();
	});

	test("an address that others can reach needs a token, or that it is said to need none", async () => {
		const listenAddresses = ["127.0.0.1", "0.0.0.0"];
		await expect(startGrpcApi({ listenAddresses })).rejects.toThrow(/reach 0\.0\.0\.0: set DAPR_API_TOKEN/);
		await expect(startGrpcApi({ listenAddresses, token: { value: "" } })).rejects.toThrow(ConfigurationError);
		await using withToken = await startGrpcApi({ listenAddresses: ["0.0.0.0"], token: { value: "x" } });
		expect(withToken.targets).toEqual([`0.0.0.0:${withToken.port}`]);
		await using open = await startGrpcApi({ listenAddresses: ["0.0.0.0"], allowUnauthenticated: true });
		expect(open.targets).toHaveLength(1);
	});

	test("on a socket file its group may call, also for a shutdown; it is gone when the API closes", async () => {
		await using folder = await tempFolder();
		const socketPath = join(folder.path, "grpc.socket");
		const api = await startGrpcApi({ socketPath });
		expect(api.targets).toEqual([`unix:${socketPath}`]);
		expect((await lstat(socketPath)).mode & 0o777).toBe(0o660);
		expect((await api.caller.create()).code).toBe("OK");
		expect((await api.caller.call(DaprService.shutdown, {})).code).toBe("OK");
		await eventually(() => expect(api.shutdowns).toEqual([false]));
		await api[Symbol.asyncDispose]();
		expect(await readdir(folder.path)).toEqual([]);
	});
});

describe("close", () => {
	test("waits for a call that is under way, and takes no more", async () => {
		await using api = await startGrpcApi();
		let finish: (() => void) | undefined;
		api.runtime.answer = () => new Promise((resolve) => (finish = () => resolve(undefined)));
		const open = api.caller.create();
		await eventually(() => expect(finish).toBeDefined());
		let isClosed = false;
		const closed = api.close().then(() => (isClosed = true));
		await eventually(async () => {
			using late = new GrpcCaller(api.targets[0]!);
			expect((await late.create()).code).toBe("UNAVAILABLE");
		});
		expect(isClosed).toBe(false);
		finish?.();
		expect((await open).code).toBe("OK");
		await closed;
		expect(api.runtime.invocations).toHaveLength(1);
	});

	test("tells the callers of what does not end in time that nobody knows, and takes their messages back", async () => {
		await using api = await startGrpcApi({ drainMs: 50 });
		let caller: Cancellation | undefined;
		api.runtime.answer = (_request, given) => {
			caller = given;
			return new Promise(() => {});
		};
		const open = api.caller.create();
		await eventually(() => expect(caller).toBeDefined());
		await api.close();
		expect(await open).toMatchObject({
			code: "DEADLINE_EXCEEDED",
			details: "outcome unknown: the sidecar stopped before the broker had answered",
		});
		expect(caller?.aborted).toBe(true);
	});

	test("does not wait for connections without a call, not even for one that never said a word", async () => {
		await using api = await startGrpcApi();
		expect((await api.caller.create()).code).toBe("OK");
		const silent = connect(api.port, "127.0.0.1")
			.on("error", () => {})
			.resume();
		await once(silent, "connect");
		const closed = api.close();
		await once(silent, "close");
		await closed;
	});

	test("may be called before anybody called, and twice", async () => {
		const api = await startGrpcApi();
		await Promise.all([api.close(), api.close()]);
		await api[Symbol.asyncDispose]();
	});
});
