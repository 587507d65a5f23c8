// The floor: a bare socket that decodes just enough to count PUBLISH packets at QoS 1 and acknowledges each, once per chunk.
import net from "node:net";
import { report } from "./child.mjs";

const [port, clientId, count] = [Number(process.argv[2]), process.argv[3], Number(process.argv[4])];
const socket = net.connect(port, "127.0.0.1");
socket.setNoDelay(true);
const id = Buffer.from(clientId);
socket.write(
	Buffer.concat([
		Buffer.from([0x10, 12 + id.length, 0, 4]),
		Buffer.from("MQTT"),
		Buffer.from([4, 0, 0, 60, 0, id.length]),
		id,
	]),
);
const done = report();
let seen = 0;
let rest = Buffer.alloc(0);
socket.on("data", (chunk) => {
	const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
	const acks = Buffer.allocUnsafe(4 * (bytes.length >> 2));
	let end = 0;
	let at = 0;
	for (;;) {
		let length = 0;
		let shift = 0;
		let next = at + 1;
		let complete = false;
		while (next < bytes.length) {
			const byte = bytes[next++];
			length |= (byte & 127) << shift;
			shift += 7;
			if (byte < 128) {
				complete = true;
				break;
			}
		}
		if (!complete || next + length > bytes.length) break;
		if (bytes[at] >> 4 === 3) {
			const idAt = next + 2 + ((bytes[next] << 8) | bytes[next + 1]);
			acks[end++] = 0x40;
			acks[end++] = 2;
			acks[end++] = bytes[idAt];
			acks[end++] = bytes[idAt + 1];
			seen++;
		}
		at = next + length;
	}
	rest = bytes.subarray(at);
	if (end > 0) socket.write(acks.subarray(0, end));
	if (seen >= count) {
		done(count);
		socket.end(Buffer.from([0xe0, 0]));
	}
});
