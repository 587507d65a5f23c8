import { MqttClient, parseBrokerUrl } from "../../dist/index.js";

/** A client of the built library. */
export function benchClient(port, options) {
	return new MqttClient({
		url: parseBrokerUrl(`tcp://127.0.0.1:${port}`),
		keepAliveMs: 30_000,
		connectTimeoutMs: 10_000,
		publishTimeoutMs: 60_000,
		subscriptions: [{ filter: "bench", qos: 1 }],
		ackOrder: "arrival",
		maxBuffered: 64 * 2 ** 20,
		maxPayloadSize: 4 * 2 ** 20,
		...options,
	});
}

/** Publishes `count` messages of 100 bytes at QoS 1. */
export async function fill(port, count) {
	const publisher = benchClient(port, { clientId: "fill", cleanSession: true });
	await publisher.connect();
	let left = count;
	const lane = async () => {
		while (left-- > 0)
			await publisher.publish({ topic: "bench", payload: Buffer.alloc(100, "x"), qos: 1, retain: false });
	};
	await Promise.all(Array.from({ length: 1_000 }, lane));
	await publisher.close();
}
