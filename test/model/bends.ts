import type { Packet } from "mqtt-packet";
import type { AppBend, WorldOptions } from "./binding-world.js";
import type { Bend } from "./session-broker.js";

/** A wrong binding, played by bending what the right one says and hears, and the invariant that shows it. */
interface WrongBinding {
	readonly options?: WorldOptions;
	readonly bend?: () => Bend & AppBend;
	readonly reason: RegExp;
}

export const bends: Readonly<Record<string, WrongBinding>> = {
	"acknowledges on receipt": {
		reason: /I[235]/,
		bend: () => {
			const due: Packet[] = [];
			return {
				sent: (packet) => {
					if (packet.cmd === "publish") due.push({ cmd: "puback", messageId: packet.messageId! });
					return [packet];
				},
				written: (packet) => [...due.splice(0), ...(packet.cmd === "puback" ? [] : [packet])],
			};
		},
	},
	"takes a refusal for consent": {
		reason: /I2/,
		bend: () => ({ verdict: (verdict) => (verdict.kind === "failed" ? { kind: "accepted" } : verdict) }),
	},
	"forgets what the app refused": {
		reason: /I9/,
		bend: () => ({ verdict: (verdict) => (verdict.kind === "failed" ? undefined : verdict) }),
	},
	"acknowledges twice": {
		reason: /I[235]/,
		bend: () => ({ written: (packet) => (packet.cmd === "puback" ? [packet, packet] : [packet]) }),
	},
	"keeps acknowledgements for the next connection": {
		reason: /I[235]/,
		bend: () => {
			let written: Packet[] = [];
			return {
				written: (packet) => {
					if (packet.cmd === "puback") written.push(packet);
					if (packet.cmd !== "subscribe") return [packet];
					const before = written;
					written = [];
					return [packet, ...before];
				},
			};
		},
	},
	"trusts every session that is present": {
		reason: /deaf|wedged/,
		bend: () => {
			let isPresent = false;
			return {
				sent: (packet) => {
					if (packet.cmd === "connack") isPresent = packet.sessionPresent;
					return [packet];
				},
				written: (packet) => (packet.cmd === "subscribe" && isPresent ? [] : [packet]),
			};
		},
	},
	"takes every DUP for a copy": {
		reason: /I[1235]/,
		bend: () => {
			const due: Packet[] = [];
			return {
				sent: (packet) => {
					if (packet.cmd !== "publish" || !packet.dup) return [packet];
					due.push({ cmd: "puback", messageId: packet.messageId! });
					return [];
				},
				written: (packet) => [packet, ...due.splice(0)],
			};
		},
	},
	"lets acknowledgements overtake where strict was asked for": {
		reason: /I4/,
		options: { expected: { strict: true } },
	},
	"acknowledges everything when it stops": {
		reason: /I[23]/,
		bend: () => {
			const open = new Set<number>();
			return {
				sent: (packet) => {
					if (packet.cmd === "connack") open.clear();
					if (packet.cmd === "publish") open.add(packet.messageId!);
					return [packet];
				},
				written: (packet) => {
					if (packet.cmd === "puback") open.delete(packet.messageId!);
					if (packet.cmd !== "disconnect") return [packet];
					return [...[...open].map((messageId): Packet => ({ cmd: "puback", messageId })), packet];
				},
			};
		},
	},
	"says something after DISCONNECT": {
		reason: /I17/,
		bend: () => ({ written: (packet) => (packet.cmd === "disconnect" ? [packet, { cmd: "pingreq" }] : [packet]) }),
	},
	"forgets QoS 2 identifiers before PUBREL": {
		reason: /I13|I9/,
		options: { qos: 2 },
		bend: () => {
			const surplus = new Set<number>();
			return {
				sent: (packet) => {
					if (packet.cmd === "connack") surplus.clear();
					if (packet.cmd !== "publish" || !packet.dup) return [packet];
					surplus.add(packet.messageId!);
					return [{ cmd: "pubrel", messageId: packet.messageId! }, packet];
				},
				written: (packet) => (packet.cmd === "pubcomp" && surplus.delete(packet.messageId!) ? [] : [packet]),
			};
		},
	},
	"does not answer PUBREL": {
		reason: /I9/,
		options: { qos: 2 },
		bend: () => ({ written: (packet) => (packet.cmd === "pubcomp" ? [] : [packet]) }),
	},
	"calls a publish done that was not answered": {
		reason: /I6/,
		bend: () => ({
			written: (packet, broker) => {
				if (packet.cmd === "publish") broker.answerFor({ cmd: "puback", messageId: packet.messageId! });
				return [packet];
			},
		}),
	},
	"hands over a topic's messages side by side where lanes were asked for": {
		reason: /I14/,
		options: { expected: { lanes: true } },
	},
	"acknowledges before the broker has the dead letter": {
		reason: /I2/,
		options: { exhausted: "deadLetter" },
		bend: () => ({
			written: (packet, broker) => {
				if (packet.cmd === "publish" && packet.topic === "dead")
					broker.answerFor({ cmd: "puback", messageId: packet.messageId! });
				return [packet];
			},
		}),
	},
	"waits for an app for ever where handlerTimeout was asked for": {
		reason: /I8/,
		options: { expected: { handlerTimeoutMs: 4_000 } },
	},
	"dead-letters a message whose retries are not used up": {
		reason: /I17/,
		options: { exhausted: "deadLetter", retries: 1, options: { backOffMaxRetries: 0 } },
	},
};
