import { once } from "node:events";
import { connect } from "node:net";
import { expect } from "vitest";
import { metric } from "../../integration/sidecar/component.js";
import { GrpcCaller } from "../../support/grpc-caller.js";
import { callHeaders, FRAME, http2Frame, PREFACE } from "../../support/http2-frames.js";
import { describeWith } from "../../support/left-out.js";
import { residentMiB } from "../process/figures.js";
import { fault } from "../support/fault.js";
import { p99 } from "../support/p99.js";
import { startWatchedLine } from "../support/watched-line.js";

const END_HEADERS = 4;
const CANCEL = Buffer.of(0, 0, 0, 8);

/** Begins calls and takes each back at once, as fast as the server reads; resolves with how many when it ends the connection, or after `count`. */
async function rapidReset(port: number, count: number): Promise<{ readonly calls: number; readonly ended: boolean }> {
	const socket = connect(port, "127.0.0.1");
	let ended = false;
	socket.on("error", () => {});
	socket.on("close", () => {
		ended = true;
	});
	socket.resume();
	await once(socket, "connect");
	const headers = callHeaders("/dapr.proto.runtime.v1.Dapr/InvokeBinding");
	socket.write(Buffer.concat([PREFACE, http2Frame(FRAME.settings, 0, 0)]));
	let calls = 0;
	while (calls < count && !ended) {
		const batch: Buffer[] = [];
		for (let n = 0; n < 500; n++) {
			const stream = 2 * calls++ + 1;
			batch.push(
				http2Frame(FRAME.headers, END_HEADERS, stream, headers),
				http2Frame(FRAME.rstStream, 0, stream, CANCEL),
			);
		}
		if (!socket.write(Buffer.concat(batch))) await Promise.race([once(socket, "drain"), once(socket, "close")]);
		await new Promise((resolve) => setImmediate(resolve));
	}
	await new Promise((resolve) => setTimeout(resolve, 200));
	socket.destroy();
	return { calls, ended };
}

describeWith("mosquitto", "callers over gRPC who mean harm", () => {
	fault(
		{
			rows: ["F-63"],
			injected:
				"HTTP/2 rapid reset on the gRPC port: calls that are begun and taken back at once, on one connection after another",
			scale: "20 connections of up to 20,000 calls",
		},
		"each connection meets its limit; other callers are served, the connection to the broker is kept, memory is bounded",
		async ({ seen }) => {
			await using line = await startWatchedLine();
			const { sidecar, device, app } = line;
			const target = await sidecar.grpcTarget();
			const port = Number(target.split(":")[1]);
			using caller = new GrpcCaller(target);
			const call = async () => {
				expect((await caller.create({ metadata: { topic: "out/x" } })).code).toBe("OK");
			};
			const before = await p99(call);
			let calls = 0;
			let endings = 0;
			const attack = (async () => {
				for (let n = 0; n < 20; n++) {
					const { calls: begun, ended } = await rapidReset(port, 20_000);
					calls += begun;
					if (ended) endings++;
				}
			})();
			const during = await p99(call);
			await attack;
			await device.publish("in/a", "1");
			await app.acceptedAtLeast(1);
			expect(await metric(sidecar, "mqtt3_binding_connects_total{")).toBe(1);
			const memory = residentMiB(sidecar.pid);
			expect(memory).toBeLessThan(500);
			seen(
				`${calls.toLocaleString("en")} calls begun and taken back, ${endings} of 20 connections ended by the server; p99 of other calls ${during.toFixed(1)} ms meanwhile, ${before.toFixed(1)} ms before; ${memory.toFixed(0)} MiB resident; the broker's connection kept`,
			);
		},
		120_000,
	);
});
