import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../../test/support/eventually.js";
import { readBody } from "./request-body.js";
import { RequestBudget } from "./request-budget.js";
import { BusyError } from "./status.js";

/** A server that reads bodies of up to 1,000 bytes within `budget`, and what became of each, in the order they ended. */
async function startReader(budget: RequestBudget) {
	const ended: (string | undefined | Error)[] = [];
	const server = createServer((request, response) => {
		readBody(request, response, 1_000, budget).then(
			(body) => {
				ended.push(body?.toString());
				response.end();
			},
			(error: Error) => {
				ended.push(error);
				request.socket.destroy();
			},
		);
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const sockets: Socket[] = [];
	onTestFinished(() => {
		for (const socket of sockets) socket.destroy();
		server.close();
	});
	const send = (size: number, sent: number) => {
		const socket = connect((server.address() as AddressInfo).port, "127.0.0.1").on("error", () => undefined);
		sockets.push(socket);
		socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n\r\n${"x".repeat(sent)}`);
		return socket;
	};
	return { ended, send };
}

test("bytes of half-read bodies count together, and are given back when a body ends or its caller leaves", async () => {
	const budget = new RequestBudget(10, 100);
	const { ended, send } = await startReader(budget);
	const first = send(90, 80);
	await eventually(() => expect(isFree(budget, 21)).toBe(false));
	send(30, 30);
	await eventually(() => expect(ended).toEqual([expect.any(BusyError)]));
	first.destroy();
	await eventually(() => expect(ended).toEqual([expect.any(BusyError), undefined]));
	expect(isFree(budget, 100)).toBe(true);
	send(100, 100);
	await eventually(() => expect(ended.at(-1)).toBe("x".repeat(100)));
	expect(isFree(budget, 100)).toBe(true);
});

test("a body that comes in many pieces is put together in order", async () => {
	const { ended, send } = await startReader(new RequestBudget(10, 1_000));
	const socket = send(26, 0).setNoDelay();
	for (const letter of "abcdefghijklmnopqrstuvwxyz") {
		socket.write(letter);
		await new Promise((resolve) => setImmediate(resolve));
	}
	await eventually(() => expect(ended).toEqual(["abcdefghijklmnopqrstuvwxyz"]));
});

test("the number of open requests is bounded", () => {
	const budget = new RequestBudget(2, 0);
	budget.enter();
	budget.enter();
	expect(() => budget.enter()).toThrow(BusyError);
	budget.leave();
	budget.enter();
});

function isFree(budget: RequestBudget, bytes: number): boolean {
	if (!budget.take(bytes)) return false;
	budget.give(bytes);
	return true;
}
