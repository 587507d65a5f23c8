// Our encoder on one socket, publishes batched per turn, and nothing else: what the thin gRPC servers publish with.
import net from "node:net";
import { encode, publishSize, writePublishHeader } from "../dist/mqtt/encode.js";

/** Returns what publishes a payload to `bench` at QoS 1, and calls back when the broker has acknowledged it. */
export function thinPublisher(brokerPort) {
	const broker = net.connect(brokerPort, "127.0.0.1");
	broker.setNoDelay(true);
	broker.write(encode({ type: "connect", clientId: "thin", cleanSession: true, keepAlive: 60 }));
	const waiting = new Map();
	let nextId = 1;
	let batch = [];
	broker.on("data", (chunk) => {
		for (let at = 0; at + 4 <= chunk.length; at += 4) {
			if (chunk[at] !== 0x40) continue;
			const id = (chunk[at + 2] << 8) | chunk[at + 3];
			waiting.get(id)?.();
			waiting.delete(id);
		}
	});
	const flush = () => {
		broker.write(Buffer.concat(batch));
		batch = [];
	};
	return (payload, published) => {
		const id = nextId;
		nextId = (nextId % 65_535) + 1;
		waiting.set(id, published);
		const packet = Buffer.allocUnsafe(publishSize(5, payload.length, 1));
		const end = writePublishHeader(packet, 0, "bench", 5, payload.length, id, 1, false, false);
		packet.set(payload, end);
		if (batch.push(packet) === 1) setImmediate(flush);
	};
}
