import type { Packet } from "mqtt-packet";
import type { ClientBend, PublishBroker } from "./publish-broker.js";

/** A wrong client, played by bending what the right one writes, and what shows it. */
interface WrongClient {
	readonly bend: () => ClientBend;
	readonly reason: RegExp;
}

type Publish = Extract<Packet, { cmd: "publish" }>;

/** Bends packet after packet. */
function each(bend: (packet: Packet, broker: PublishBroker) => readonly Packet[]): ClientBend {
	return { written: (packets, broker) => packets.flatMap((packet) => bend(packet, broker)) };
}

/** Bends PUBLISHes alone. */
function publishes(bend: (packet: Publish, broker: PublishBroker) => readonly Packet[]): ClientBend {
	return each((packet, broker) => (packet.cmd === "publish" ? bend(packet, broker) : [packet]));
}

export const clientBends: Readonly<Record<string, WrongClient>> = {
	"says success on write": {
		reason: /I6/,
		bend: () =>
			publishes((packet, broker) => {
				if (packet.qos === 1) setImmediate(() => broker.deliver({ cmd: "puback", messageId: packet.messageId! }));
				return [packet];
			}),
	},
	"sends again what its caller was told has failed": {
		reason: /I7/,
		bend: () => {
			const sent = new Map<string, Publish>();
			return each((packet, broker) => {
				if (packet.cmd === "publish") sent.set(packet.payload.toString(), packet);
				if (packet.cmd !== "connect") return [packet];
				const failed = [...sent].filter(([text]) => broker.calls.get(text)?.error !== undefined);
				return [packet, ...failed.map(([, publish]): Packet => ({ ...publish, dup: true }))];
			});
		},
	},
	"gives out an identifier that is in use": {
		reason: /2\.3\.1-2|I9/,
		bend: () =>
			publishes((packet) => [packet.qos === 1 ? { ...packet, messageId: 2 + (packet.messageId! % 2) } : packet]),
	},
	"sends again without DUP": {
		reason: /3\.3\.1-1/,
		bend: () => publishes((packet) => [{ ...packet, dup: false }]),
	},
	"sends again with another identifier": {
		reason: /4\.4\.0-1/,
		bend: () => {
			let next = 1_000;
			return publishes((packet) => [packet.dup ? { ...packet, messageId: ++next } : packet]);
		},
	},
	"sends again in another order": {
		reason: /4\.6\.0-1/,
		bend: () => ({
			written: (packets) => {
				const again = packets.filter((packet) => packet.cmd === "publish" && packet.qos === 1 && packet.dup);
				return [...packets.filter((packet) => !again.includes(packet)), ...again.reverse()];
			},
		}),
	},
	"does not send again": {
		reason: /I9|4\.6\.0-1/,
		bend: () => publishes((packet) => (packet.dup ? [] : [packet])),
	},
	"begins a QoS 2 publish without clearing its identifier": {
		reason: /I6|I9/,
		bend: () => {
			let hasPublished = true;
			return each((packet, broker) => {
				if (packet.cmd === "connect") hasPublished = false;
				if (packet.cmd === "publish" && packet.qos === 2) hasPublished = true;
				if (packet.cmd !== "pubrel" || hasPublished) return [packet];
				broker.deliver({ cmd: "pubcomp", messageId: 1 });
				return [];
			});
		},
	},
};
