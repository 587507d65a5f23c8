// Starts and measures the processes of the bench. Ends only what it started.
import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { MqttClient, parseBrokerUrl } from "../dist/index.js";

const HERE = import.meta.dirname;

export function median(numbers) {
	const sorted = numbers.toSorted((a, b) => a - b);
	return sorted[sorted.length >> 1];
}

export class Bench {
	#folder;
	#broker;
	/** Apps by protocol. */
	#apps = new Map();
	#runs = 0;
	/** The build that is measured. */
	dist = join(HERE, "../dist");
	brokerPort = 0;

	static async start() {
		const bench = new Bench();
		bench.#folder = await mkdtemp(join(tmpdir(), "bench-"));
		bench.brokerPort = await freePort();
		const settings = `listener ${bench.brokerPort} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 1000\nmax_queued_messages 0\n`;
		await writeFile(join(bench.#folder, "mosquitto.conf"), settings);
		bench.#broker = spawn("mosquitto", ["-c", join(bench.#folder, "mosquitto.conf")], { stdio: "ignore" });
		await listens(bench.brokerPort);
		await writeFile(join(bench.#folder, "bench.yaml"), component(bench.brokerPort));
		return bench;
	}

	async close() {
		for (const { child } of this.#apps.values()) child.kill();
		this.#broker.kill();
		await rm(this.#folder, { recursive: true });
	}

	/** The app that speaks `protocol`, `http` or `grpc`; started when it is first asked for. */
	async #app(protocol) {
		let app = this.#apps.get(protocol);
		if (app === undefined) {
			const child = fork(join(HERE, protocol === "grpc" ? "grpc-app-server.mjs" : "app-server.mjs"));
			const [{ port }] = await once(child, "message");
			app = { child, port, flags: ["--app-protocol", protocol, "--app-port", String(port)] };
			this.#apps.set(protocol, app);
		}
		return app;
	}

	/** Makes persistent sessions that collect what is published. */
	async subscribeSessions(clientIds) {
		for (const clientId of clientIds) {
			const client = this.#client(clientId, false);
			await client.connect();
			client.subscribe();
			while (!client.status().subscribed) await sleep(5);
			await client.close();
		}
	}

	async dropSessions(clientIds) {
		for (const clientId of clientIds) {
			const client = this.#client(clientId, true);
			await client.connect();
			await client.close();
		}
	}

	/** Publishes `count` messages of 100 bytes at QoS 1. */
	async fill(count) {
		const client = this.#client("fill", true);
		await client.connect();
		const payload = Buffer.alloc(100, "x");
		let left = count;
		const worker = async () => {
			while (left-- > 0)
				await client.publish({ topic: "bench", payload, qos: 1, retain: false }, { timeoutMs: 60_000 });
		};
		await Promise.all(Array.from({ length: 1_000 }, worker));
		await client.close();
	}

	/** A script of this folder that prints one line of measurements. */
	async measureChild(script, args) {
		const child = spawn(process.execPath, [join(HERE, script), ...args.map(String)], {
			stdio: ["ignore", "pipe", "inherit"],
		});
		const lines = [];
		createInterface({ input: child.stdout }).on("line", (line) => lines.push(JSON.parse(line)));
		await once(child, "close");
		return Object.assign({}, ...lines);
	}

	/** A backlog through the sidecar to the app: from the first request to the last; CPU from the first one on. */
	async deliver(count, protocol = "http") {
		await this.dropSessions(["bench"]);
		await this.subscribeSessions(["bench"]);
		await this.fill(count);
		const app = await this.#app(protocol);
		const run = await this.#run(app, count);
		const child = this.#spawnSidecar(app.flags);
		child.stdout.resume();
		await run.first;
		const before = await usage(child.pid);
		let rssMb = 0;
		const sampler = setInterval(async () => {
			rssMb = Math.max(rssMb, (await usage(child.pid)).rssMb);
		}, 50);
		const { firstAt, lastAt } = await run.last;
		clearInterval(sampler);
		const after = await usage(child.pid);
		await stop(child);
		return { messages: count, seconds: (lastAt - firstAt) / 1_000, cpuUs: (after.cpuUs - before.cpuUs) / count, rssMb };
	}

	async measureDispatch(count, protocol = "http", script = protocol === "grpc" ? "grpc-dispatch.mjs" : "dispatch.mjs") {
		const app = await this.#app(protocol);
		await this.#run(app, count);
		return this.measureChild(script, [app.port, count, 256, 256]);
	}

	/** A backlog through a Unix socket to daprd: ours, or the thinnest stream of the same messages; CPU from the first message on. */
	async plugged(server, count) {
		const socket = join(this.#folder, "plugged.sock");
		const args =
			server === "component"
				? [join(this.dist, "cli/main.js"), "component", "--socket-folder", this.#folder, "--name", "plugged"]
				: [join(HERE, server), socket, String(count), "1000"];
		if (server === "component") {
			await this.dropSessions(["bench"]);
			await this.subscribeSessions(["bench"]);
			await this.fill(count);
		}
		const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
		const isThere = server === "component" ? /daprd finds it/ : /listening on/;
		for await (const line of createInterface({ input: child.stdout })) if (isThere.test(line)) break;
		child.stdout.resume();
		const properties = { url: `tcp://127.0.0.1:${this.brokerPort}`, topic: "bench", consumerID: "bench" };
		const daprd = fork(join(HERE, "plugged-daprd.mjs"), [socket, String(count), JSON.stringify(properties)]);
		const [{ firstAt }] = await once(daprd, "message");
		const before = await usage(child.pid);
		const [{ lastAt }] = await once(daprd, "message");
		await sleep(100);
		const after = await usage(child.pid);
		daprd.kill();
		await stop(child);
		await rm(socket, { force: true });
		return {
			messages: count,
			seconds: (lastAt - firstAt) / 1_000,
			cpuUs: (after.cpuUs - before.cpuUs) / count,
			rssMb: after.rssMb,
		};
	}

	/** Tells the app what to count; resolves when it knows. */
	async #run({ child }, count) {
		const id = ++this.#runs;
		const says = (member) =>
			new Promise((resolve) => {
				const listener = (message) => {
					if (message.run !== id || message[member] === undefined) return;
					child.off("message", listener);
					resolve(message);
				};
				child.on("message", listener);
			});
		const [ready, first, last] = [says("ready"), says("firstAt"), says("lastAt")];
		child.send({ id, count });
		await ready;
		return { first, last };
	}

	/** `count` calls, `atOnce` at a time, over HTTP or gRPC; CPU and memory are the server's. */
	async create(server, count, atOnce, protocol = "http") {
		await this.dropSessions(["bench"]);
		const started =
			server === "sidecar"
				? await this.#sidecar(protocol === "grpc" ? ["--dapr-grpc-port", "0"] : [])
				: await listening(
						spawn(process.execPath, [join(HERE, server), String(this.brokerPort)], {
							stdio: ["ignore", "pipe", "inherit"],
						}),
					);
		const [load, port] = protocol === "grpc" ? ["grpc-load.mjs", started.grpcPort] : ["load.mjs", started.port];
		await this.measureChild(load, [port, Math.min(5_000, count), atOnce]);
		const before = await usage(started.pid);
		const measured = await this.measureChild(load, [port, count, atOnce]);
		const after = await usage(started.pid);
		await stop(started.child);
		return { ...measured, cpuUs: (after.cpuUs - before.cpuUs) / count, rssMb: after.rssMb };
	}

	/** Resident memory of a sidecar that has nothing to do, in MB. */
	async idleMemory() {
		const sidecar = await this.#sidecar((await this.#app("http")).flags);
		await sleep(3_000);
		const { rssMb } = await usage(sidecar.pid);
		await stop(sidecar.child);
		return rssMb;
	}

	/** From spawn to the app's first message, one waiting in the session, in milliseconds. */
	async startToFirstDelivery(protocol = "http") {
		await this.dropSessions(["bench"]);
		await this.subscribeSessions(["bench"]);
		await this.fill(1);
		const app = await this.#app(protocol);
		const run = await this.#run(app, 1);
		const startedAt = Date.now();
		const sidecar = this.#spawnSidecar(app.flags);
		sidecar.stdout.resume();
		const { firstAt } = await run.last;
		await stop(sidecar);
		return firstAt - startedAt;
	}

	async bareStart() {
		const startedAt = performance.now();
		await once(spawn(process.execPath, ["-e", "0"]), "exit");
		return performance.now() - startedAt;
	}

	#spawnSidecar(args) {
		const flags = ["run", "--app-id", "bench", "--resources-path", this.#folder, "--dapr-http-port", "0", ...args];
		return spawn(process.execPath, [join(this.dist, "cli/main.js"), ...flags], {
			stdio: ["ignore", "pipe", "inherit"],
		});
	}

	async #sidecar(args) {
		return listening(this.#spawnSidecar(args));
	}

	#client(clientId, cleanSession) {
		return new MqttClient({
			url: parseBrokerUrl(`tcp://127.0.0.1:${this.brokerPort}`),
			clientId,
			cleanSession,
			keepAliveMs: 30_000,
			connectTimeoutMs: 10_000,
			publishTimeoutMs: 60_000,
			subscriptions: [{ filter: "bench", qos: 1 }],
			ackOrder: "arrival",
			maxBuffered: 64 * 2 ** 20,
			maxPayloadSize: 4 * 2 ** 20,
		});
	}
}

function component(brokerPort) {
	return `apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: bench
spec:
  type: bindings.mqtt3
  metadata:
    - { name: url, value: "tcp://127.0.0.1:${brokerPort}" }
    - { name: topic, value: bench }
    - { name: consumerID, value: bench }
`;
}

/** Resolves with its ports and pid once the child says where it listens. */
export async function listening(child) {
	let grpcPort;
	for await (const line of createInterface({ input: child.stdout })) {
		grpcPort ??= /gRPC on 127\.0\.0\.1:(\d+)/.exec(line)?.[1];
		const found = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(line);
		if (found !== null) {
			child.stdout.resume();
			return { child, pid: child.pid, port: Number(found[1]), grpcPort };
		}
	}
	throw new Error("the server ended before it listened");
}

export async function stop(child) {
	const exited = child.exitCode !== null || child.signalCode !== null ? Promise.resolve() : once(child, "exit");
	child.kill();
	await exited;
}

/** CPU time so far in microseconds and resident memory in MB, of any process (Linux). */
export async function usage(pid) {
	const stat = await readFile(`/proc/${pid}/stat`, "utf8");
	const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
	const status = await readFile(`/proc/${pid}/status`, "utf8");
	return {
		cpuUs: (Number(fields[11]) + Number(fields[12])) * 10_000,
		rssMb: Number(/VmRSS:\s+(\d+)/.exec(status)[1]) / 1_024,
	};
}

export async function freePort() {
	const server = net.createServer().listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address();
	server.close();
	return port;
}

export async function listens(port) {
	for (let attempt = 0; attempt < 100; attempt++) {
		const socket = net.connect(port, "127.0.0.1");
		try {
			await once(socket, "connect");
			return;
		} catch {
			await sleep(50);
		} finally {
			socket.destroy();
		}
	}
	throw new Error(`nothing listens on port ${port}`);
}
