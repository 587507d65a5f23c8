import { createHash, timingSafeEqual } from "node:crypto";
import type { AedesOptions } from "aedes";
import { ConfigurationError } from "../errors.js";

/** Longest time between two packets of a client, in seconds; what a client asks for beyond it is cut down to it. */
const MAX_KEEP_ALIVE = 3_600;

/** Aedes' settings for who is let in: anybody, or with a user name only who gives it and the password. */
export function admission(
	username: string | undefined,
	password: string | undefined,
): Pick<AedesOptions, "preConnect" | "authenticate"> {
	if (username === undefined && password !== undefined) {
		throw new ConfigurationError("broker: a password needs a user name", { property: "username" });
	}
	const expected = username === undefined ? undefined : digest(username, Buffer.from(password ?? ""));
	return {
		preConnect(_client, packet, done) {
			// A keep-alive of 18 hours, or none, would hold a dead connection as long.
			packet.keepalive = Math.min(packet.keepalive || MAX_KEEP_ALIVE, MAX_KEEP_ALIVE);
			// Refused here: when it is published, nobody is left to be told.
			const fault = packet.will && faultOfWill(packet.will.topic);
			done(fault ? new Error(`will topic ${fault}`) : null, !fault);
		},
		authenticate(_client, name, secret, done) {
			const welcome = !expected || timingSafeEqual(expected, digest(name ?? "", secret ?? Buffer.alloc(0)));
			// 3.2.2.3: return code 4, bad user name or password.
			done(welcome ? null : Object.assign(new Error("bad user name or password"), { returnCode: 4 }), welcome);
		},
	};
}

/** Why this is no Topic Name that can be sent; undefined when it is one. */
export function faultOfTopic(topic: string): string | undefined {
	if (topic === "") return "is empty";
	if (/[+#]/.test(topic)) return "holds a wildcard";
	if (topic.includes("\0")) return "holds U+0000";
	if (Buffer.byteLength(topic) > 65_535) return "is longer than 65,535 bytes";
	return undefined;
}

function faultOfWill(topic: string): string | undefined {
	return topic.startsWith("$SYS/") ? "is reserved" : faultOfTopic(topic);
}

function digest(username: string, password: Buffer): Buffer {
	return createHash("sha256").update(JSON.stringify(username)).update(password).digest();
}
