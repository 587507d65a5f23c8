import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect } from "vitest";
import { metric } from "../../integration/sidecar/component.js";
import { eventually } from "../../support/eventually.js";
import { describeWith } from "../../support/left-out.js";
import { exchange, statusesIn } from "../../support/raw-http.js";
import { residentMiB } from "../process/figures.js";
import { fault } from "../support/fault.js";
import { p99 } from "../support/p99.js";
import { startWatchedLine } from "../support/watched-line.js";

const CREATE = { operation: "create", data: 1, metadata: { topic: "out/x" } };

interface Slowloris extends AsyncDisposable {
	/** How many the server has not ended yet. */
	open(): number;
}

/** Open connections that send one byte now and then, and never a whole request. */
async function slowloris(port: number, count: number): Promise<Slowloris> {
	const sockets: Socket[] = [];
	for (let n = 0; n < count; n++) {
		const socket = connect(port, "127.0.0.1");
		socket.on("error", () => {}).resume();
		await once(socket, "connect");
		socket.write("POST /v1.0/bindings/orders HTTP/1.1\r\nHost: localhost\r\n");
		sockets.push(socket);
	}
	let next = 0;
	const drip = setInterval(() => {
		for (let n = 0; n < 8; n++) {
			const socket = sockets[next++ % count]!;
			if (socket.writable) socket.write("X");
		}
	}, 5);
	return {
		open: () => sockets.filter(({ closed }) => !closed).length,
		async [Symbol.asyncDispose]() {
			clearInterval(drip);
			for (const socket of sockets) socket.destroy();
		},
	};
}

describeWith("mosquitto", "callers who mean harm", () => {
	fault(
		{
			rows: ["F-63"],
			injected:
				"2,000 connections that never end their request, headers of 1 MiB, a chunked body without end, 20,000 pipelined requests",
			scale: "the body ends when it is refused instead of at 10 GiB, 20,000 pipelined requests instead of 100,000",
		},
		"each meets its limit; other callers are served, the connection to the broker is kept, memory is bounded",
		async ({ seen }) => {
			await using line = await startWatchedLine();
			const { sidecar, device, app } = line;
			const { port } = sidecar;
			const call = async () => {
				expect((await sidecar.create("orders", CREATE)).status).toBe(204);
			};
			const before = await p99(call);
			await using slow = await slowloris(port, 2_000);
			expect(slow.open()).toBe(2_000);
			const during = await p99(call);

			const bomb = `GET /v1.0/healthz HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(1_048_576)}\r\n\r\n`;
			expect(statusesIn(await exchange(port, bomb, { until: /431/ }))).toEqual([431]);
			const chunk = `100000\r\n${"x".repeat(0x100000)}\r\n`;
			const endless = `POST /v1.0/bindings/orders HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(32)}`;
			const refused = await exchange(port, endless, { until: /ERR_MALFORMED_REQUEST/, timeoutMs: 15_000 });
			expect(statusesIn(refused)).toEqual([400]);
			expect(refused).toContain("body is larger than 4194304 bytes");
			const one = "GET /v1.0/healthz/outbound HTTP/1.1\r\nHost: localhost\r\n\r\n";
			const last = "GET /v1.0/healthz/outbound HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
			const answers = await exchange(port, one.repeat(19_999) + last, { timeoutMs: 60_000 });
			expect(statusesIn(answers).filter((status) => status === 204)).toHaveLength(20_000);

			await device.publish("in/a", "1");
			await app.acceptedAtLeast(1);
			expect(await metric(sidecar, "mqtt3_binding_connects_total{")).toBe(1);
			await eventually(() => expect(slow.open()).toBe(0), { timeoutMs: 30_000 });
			const memory = residentMiB(sidecar.pid);
			expect(memory).toBeLessThan(500);
			// The machine is shared: the row's factor of two holds beyond what noise there is.
			expect(during).toBeLessThan(2 * before + 50);
			seen(
				`431 for the headers, 400 at 4 MiB of the body, 20,000 pipelined requests answered in turn; with 2,000 open connections, all ended by the limit on headers, the p99 of a create was ${during.toFixed(1)} ms, without ${before.toFixed(1)} ms; ${memory.toFixed(0)} MiB resident; the broker's connection kept`,
			);
		},
		120_000,
	);
});
