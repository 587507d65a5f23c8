import { lengthOf, packet, str, u16 } from "./wire.js";

/** Bytes that one side sends, and what the other has to make of them. */
export interface PacketCase {
	readonly name: string;
	readonly from: "server" | "client";
	readonly bytes: Buffer;
	/** The statement or section that the connection is closed for; undefined: it survives. */
	readonly clause?: string;
	/** How many packets are reported, also before an error; default 1 when it survives, else 0. */
	readonly packets?: number;
}

const MQTT4 = [str("MQTT"), 4] as const;
const ID = u16(7);
const LONGEST = "t".repeat(65_535);

/** One good packet of each type, the side that sends it, and the statement that wrong flags break. */
const GOOD = [
	{ type: "CONNECT", from: "client", bytes: packet(0x10, ...MQTT4, 2, u16(30), str("c")), flags: "MQTT-2.2.2-2" },
	{ type: "CONNACK", from: "server", bytes: packet(0x20, 0, 0), flags: "MQTT-2.2.2-2" },
	{ type: "PUBACK", from: "server", bytes: packet(0x40, ID), flags: "MQTT-2.2.2-2" },
	{ type: "PUBREC", from: "server", bytes: packet(0x50, ID), flags: "MQTT-2.2.2-2" },
	{ type: "PUBREL", from: "server", bytes: packet(0x62, ID), flags: "MQTT-3.6.1-1" },
	{ type: "PUBCOMP", from: "server", bytes: packet(0x70, ID), flags: "MQTT-2.2.2-2" },
	{ type: "SUBSCRIBE", from: "client", bytes: packet(0x82, ID, str("a"), 1), flags: "MQTT-3.8.1-1" },
	{ type: "SUBACK", from: "server", bytes: packet(0x90, ID, 1), flags: "MQTT-2.2.2-2" },
	{ type: "UNSUBSCRIBE", from: "client", bytes: packet(0xa2, ID, str("a")), flags: "MQTT-3.10.1-1" },
	{ type: "UNSUBACK", from: "server", bytes: packet(0xb0, ID), flags: "MQTT-2.2.2-2" },
	{ type: "PINGREQ", from: "client", bytes: packet(0xc0), flags: "MQTT-2.2.2-2" },
	{ type: "PINGRESP", from: "server", bytes: packet(0xd0), flags: "MQTT-2.2.2-2" },
	{ type: "DISCONNECT", from: "client", bytes: packet(0xe0), flags: "MQTT-3.14.1-1" },
] as const;

const nibbles = Array.from({ length: 16 }, (_, value) => value);
const bits = (value: number) => value.toString(2).padStart(4, "0");

function* flagCases(): Generator<PacketCase> {
	for (const { type, from, bytes, flags: clause } of GOOD) {
		for (const flags of nibbles) {
			const changed = Buffer.from(bytes);
			changed[0] = (bytes[0]! & 0xf0) | flags;
			if (changed.equals(bytes)) yield { name: `a good ${type}`, from, bytes };
			else yield { name: `${type} with flags ${bits(flags)}`, from, bytes: changed, clause };
		}
	}
	for (const flags of nibbles) {
		const isQoS0 = (flags & 0x06) === 0;
		const bytes = packet(0x30 | flags, str("a"), isQoS0 ? Buffer.alloc(0) : ID, 1);
		const name = `PUBLISH with flags ${bits(flags)}`;
		if ((flags & 0x06) === 0x06) yield { name: `${name}, QoS 3`, from: "server", bytes, clause: "MQTT-3.3.1-4" };
		else if (isQoS0 && flags >= 8) yield { name: `${name}, DUP`, from: "server", bytes, clause: "MQTT-3.3.1-2" };
		else yield { name, from: "server", bytes };
	}
}

function* typeCases(): Generator<PacketCase> {
	for (const flags of nibbles) {
		for (const type of [0, 15]) {
			const name = `reserved type ${type} with flags ${bits(flags)}`;
			yield { name, from: "server", bytes: packet((type << 4) | flags), clause: "2.2.1" };
		}
	}
	for (const { type, from, bytes } of GOOD) {
		const isForBoth = type.startsWith("PUB");
		const other = from === "server" ? "client" : "server";
		if (isForBoth) yield { name: `${type} from the ${other}`, from: other, bytes };
		else yield { name: `${type} from the ${other}, which never sends it`, from: other, bytes, clause: "2.2.1" };
	}
}

function* lengthCases(): Generator<PacketCase> {
	for (const { type, from, bytes } of GOOD) {
		const number = bytes[0]! >> 4;
		const body = bytes.subarray(2);
		const section = `3.${number}.1`;
		const grows = type === "SUBACK" || type === "UNSUBSCRIBE" || type === "SUBSCRIBE";
		yield {
			name: `${type} with a byte behind its end`,
			from,
			bytes: packet(bytes[0]!, body, 0),
			...(type === "SUBACK" ? { packets: 1 } : { clause: section }),
		};
		if (!grows) {
			yield {
				name: `${type} with 200 bytes too many`,
				from,
				bytes: packet(bytes[0]!, body, Buffer.alloc(200)),
				clause: section,
			};
		}
		yield { name: `${type} twice`, from, bytes: Buffer.concat([bytes, bytes]), packets: 2 };
		if (body.length === 0) continue;
		yield { name: `${type} with remaining length 0`, from, bytes: packet(bytes[0]!), clause: section };
		yield {
			name: `${type} with remaining length 1`,
			from,
			bytes: packet(bytes[0]!, body.subarray(0, 1)),
			clause: section,
		};
		yield { name: `${type} whose last byte is not there yet`, from, bytes: bytes.subarray(0, -1), packets: 0 };
	}
	const first = [0x20, 0x30, 0x40, 0x50, 0x62, 0x70, 0x90, 0xb0, 0xd0];
	for (const byte of first) {
		const name = `first byte ${byte.toString(16)}`;
		const from = "server";
		yield {
			name: `${name}: remaining length of 5 bytes`,
			from,
			bytes: Buffer.of(byte, 128, 128, 128, 128, 1),
			clause: "2.2.3",
		};
		yield {
			name: `${name}: 4 length bytes that all go on`,
			from,
			bytes: Buffer.of(byte, 255, 255, 255, 255),
			clause: "2.2.3",
		};
		yield { name: `${name}: length not there yet`, from, bytes: Buffer.of(byte, 128, 128, 128), packets: 0 };
		yield { name: `${name} alone`, from, bytes: Buffer.of(byte), packets: 0 };
	}
	// 3.1.1, other than version 5, does not ask for the shortest form.
	yield { name: "PUBACK with its length in 2 bytes", from: "server", bytes: Buffer.of(0x40, 0x82, 0x00, 0, 7) };
	yield { name: "PINGRESP with its length in 4 bytes", from: "server", bytes: Buffer.of(0xd0, 0x80, 0x80, 0x80, 0x00) };
	yield {
		name: "SUBACK over 1 MiB",
		from: "server",
		bytes: Buffer.concat([Buffer.of(0x90), lengthOf(1_048_577)]),
		clause: "2.2.3",
	};
	yield {
		name: "SUBACK announced with 1 MiB",
		from: "server",
		bytes: Buffer.concat([Buffer.of(0x90), lengthOf(1_048_576)]),
		packets: 0,
	};
	yield { name: "SUBACK of 256 MB", from: "server", bytes: Buffer.of(0x90, 255, 255, 255, 127), clause: "2.2.3" };
	yield { name: "PUBACK of 256 MB", from: "server", bytes: Buffer.of(0x40, 255, 255, 255, 127), clause: "3.4.1" };
	yield {
		name: "PUBLISH of 256 MB that begins well",
		from: "server",
		bytes: Buffer.of(0x30, 255, 255, 255, 127, 0, 1, 0x61),
		packets: 0,
	};
	yield { name: "an empty stream", from: "server", bytes: Buffer.alloc(0), packets: 0 };
	for (const [name, bytes] of Object.entries({
		"HTTP answer instead of MQTT": "HTTP/1.1 400 Bad Request\r\n\r\n",
		"TLS alert instead of MQTT": "\x15\x03\x03\x00\x02\x02\x46",
		"SSH banner instead of MQTT": "SSH-2.0-OpenSSH_9.2\r\n",
	})) {
		const clause = bytes.startsWith("HTTP") ? "MQTT-2.2.2-2" : bytes.startsWith("SSH") ? "MQTT-2.2.2-2" : "2.2.1";
		yield { name, from: "server", bytes: Buffer.from(bytes, "latin1"), clause };
	}
}

function* publishCases(): Generator<PacketCase> {
	const from = "server";
	yield { name: "PUBLISH QoS 0 without payload", from, bytes: packet(0x30, str("a")) };
	yield { name: "PUBLISH QoS 1 without payload", from, bytes: packet(0x32, str("a"), ID) };
	yield { name: "PUBLISH QoS 0 whose payload looks like an identifier", from, bytes: packet(0x30, str("a"), u16(0)) };
	yield {
		name: "PUBLISH with a payload of NUL and ill-formed bytes",
		from,
		bytes: packet(0x30, str("a"), 0, 255, 0xc0, 0),
	};
	yield { name: "PUBLISH with the largest identifier", from, bytes: packet(0x32, str("a"), u16(65_535)) };
	yield { name: "PUBLISH with the longest topic", from, bytes: packet(0x32, str(LONGEST), ID, 1) };
	yield { name: "PUBLISH with 65,535 slashes", from, bytes: packet(0x30, str("/".repeat(65_535))) };
	for (const first of [0x32, 0x34, 0x3a, 0x3c]) {
		const name = `PUBLISH ${first.toString(16)} with identifier 0`;
		yield { name, from, bytes: packet(first, str("a"), u16(0), 1), clause: "MQTT-2.3.1-1" };
	}
	for (const first of [0x30, 0x31, 0x32, 0x33, 0x34, 0x35]) {
		const id = first < 0x32 ? Buffer.alloc(0) : ID;
		const name = `PUBLISH ${first.toString(16)}`;
		yield { name: `${name} with an empty topic`, from, bytes: packet(first, str(""), id, 1), clause: "MQTT-4.7.3-1" };
		yield { name: `${name} with remaining length 0`, from, bytes: packet(first), clause: "3.3.1" };
		yield { name: `${name} with remaining length 1`, from, bytes: packet(first, 0), clause: "3.3.1" };
		yield {
			name: `${name} whose topic ends behind it`,
			from,
			bytes: packet(first, u16(9), Buffer.from("abcd")),
			clause: "3.3.1",
		};
		yield {
			name: `${name} with a topic of 65,535 bytes in 6`,
			from,
			bytes: packet(first, u16(65_535), Buffer.from("abcd")),
			clause: "3.3.1",
		};
		for (const topic of ["#", "+", "a/#", "a/+/b", "a#", "+a", "/+", "$SYS/#"]) {
			yield {
				name: `${name} with topic ${topic}`,
				from,
				bytes: packet(first, str(topic), id, 1),
				clause: "MQTT-3.3.2-2",
			};
		}
	}
	yield { name: "PUBLISH QoS 1 that ends before its identifier", from, bytes: packet(0x32, str("a")), clause: "3.3.1" };
	yield {
		name: "PUBLISH QoS 2 that ends within its identifier",
		from,
		bytes: packet(0x34, str("a"), 0),
		clause: "3.3.1",
	};
	const good = packet(0x32, str("a"), ID, 1);
	yield {
		name: "a bad PUBLISH behind a good one",
		from,
		bytes: Buffer.concat([good, packet(0x36, str("a"), ID)]),
		clause: "MQTT-3.3.1-4",
		packets: 1,
	};
	yield {
		name: "a good PUBLISH behind a bad one",
		from,
		bytes: Buffer.concat([packet(0x36, str("a"), ID), good]),
		clause: "MQTT-3.3.1-4",
	};
	yield { name: "the same PUBLISH twice", from, bytes: Buffer.concat([good, good]), packets: 2 };
	yield {
		name: "PUBLISH whose bad topic came, its payload not yet",
		from,
		bytes: Buffer.concat([Buffer.of(0x30, 100), str("+")]),
		clause: "MQTT-3.3.2-2",
	};
}

function* idCases(): Generator<PacketCase> {
	const zero = u16(0);
	for (const [name, first] of [
		["PUBACK", 0x40],
		["PUBREC", 0x50],
		["PUBREL", 0x62],
		["PUBCOMP", 0x70],
	] as const) {
		yield { name: `${name} with identifier 0`, from: "server", bytes: packet(first, zero), clause: "MQTT-2.3.1-6" };
		yield { name: `${name} with the largest identifier`, from: "server", bytes: packet(first, u16(65_535)) };
	}
	yield { name: "SUBACK with identifier 0", from: "server", bytes: packet(0x90, zero, 1), clause: "MQTT-2.3.1-7" };
	yield { name: "UNSUBACK with identifier 0", from: "server", bytes: packet(0xb0, zero), clause: "MQTT-2.3.1-7" };
	yield {
		name: "SUBSCRIBE with identifier 0",
		from: "client",
		bytes: packet(0x82, zero, str("a"), 0),
		clause: "MQTT-2.3.1-1",
	};
	yield {
		name: "UNSUBSCRIBE with identifier 0",
		from: "client",
		bytes: packet(0xa2, zero, str("a")),
		clause: "MQTT-2.3.1-1",
	};
}

function* connAckCases(): Generator<PacketCase> {
	for (const code of [1, 2, 3, 4, 5]) {
		yield { name: `CONNACK with return code ${code}`, from: "server", bytes: packet(0x20, 0, code) };
		const bytes = packet(0x20, 1, code);
		yield {
			name: `CONNACK with return code ${code} and session present`,
			from: "server",
			bytes,
			clause: "MQTT-3.2.2-4",
		};
	}
	yield { name: "CONNACK with session present", from: "server", bytes: packet(0x20, 1, 0) };
	for (const code of [6, 7, 0x80, 0x87, 255]) {
		yield { name: `CONNACK with return code ${code}`, from: "server", bytes: packet(0x20, 0, code), clause: "3.2.2.3" };
	}
	for (const flags of [2, 3, 0x80, 255]) {
		yield {
			name: `CONNACK with acknowledge flags ${flags}`,
			from: "server",
			bytes: packet(0x20, flags, 0),
			clause: "3.2.2.1",
		};
	}
	yield { name: "CONNACK of version 5 with properties", from: "server", bytes: packet(0x20, 0, 0, 0), clause: "3.2.1" };
}

function* subscribeCases(): Generator<PacketCase> {
	for (const code of [0, 1, 2, 0x80]) {
		yield { name: `SUBACK with return code ${code}`, from: "server", bytes: packet(0x90, ID, code) };
	}
	for (const code of [3, 4, 0x7f, 0x81, 0x87, 255]) {
		yield {
			name: `SUBACK with return code ${code}`,
			from: "server",
			bytes: packet(0x90, ID, 1, code),
			clause: "MQTT-3.9.3-2",
		};
	}
	yield { name: "SUBACK without a return code", from: "server", bytes: packet(0x90, ID), clause: "MQTT-3.8.4-5" };
	yield { name: "SUBSCRIBE without a filter", from: "client", bytes: packet(0x82, ID), clause: "MQTT-3.8.3-3" };
	yield { name: "UNSUBSCRIBE without a filter", from: "client", bytes: packet(0xa2, ID), clause: "MQTT-3.10.3-2" };
	yield {
		name: "SUBSCRIBE without a requested QoS",
		from: "client",
		bytes: packet(0x82, ID, str("a")),
		clause: "3.8.1",
	};
	for (const qos of [3, 4, 0x10, 0x80, 0x81, 255]) {
		const bytes = packet(0x82, ID, str("a"), qos);
		yield { name: `SUBSCRIBE with requested QoS byte ${qos}`, from: "client", bytes, clause: "MQTT-3.8.3-4" };
	}
	const filters: Readonly<Record<string, string | undefined>> = {
		"": "MQTT-4.7.3-1",
		"a/#/b": "MQTT-4.7.1-2",
		"a#": "MQTT-4.7.1-2",
		"##": "MQTT-4.7.1-2",
		"#/": "MQTT-4.7.1-2",
		"a+": "MQTT-4.7.1-3",
		"+a/b": "MQTT-4.7.1-3",
		"a/++": "MQTT-4.7.1-3",
		"#": undefined,
		"+": undefined,
		"+/+/#": undefined,
		"/": undefined,
		"//": undefined,
		"$SYS/#": undefined,
		"$share/group/a/#": undefined,
		"a b/温度": undefined,
	};
	for (const [filter, clause] of Object.entries(filters)) {
		const verdict = clause === undefined ? {} : { clause };
		yield {
			name: `SUBSCRIBE to "${filter}"`,
			from: "client",
			bytes: packet(0x82, ID, str("ok"), 0, str(filter), 2),
			...verdict,
		};
		yield {
			name: `UNSUBSCRIBE from "${filter}"`,
			from: "client",
			bytes: packet(0xa2, ID, str("ok"), str(filter)),
			...verdict,
		};
	}
}

function* connectCases(): Generator<PacketCase> {
	const connect = (
		name: string,
		clause: string | undefined,
		...body: readonly (number | Uint8Array)[]
	): PacketCase => ({
		name: `CONNECT ${name}`,
		from: "client",
		bytes: packet(0x10, ...body),
		...(clause === undefined ? {} : { clause }),
	});
	const after = [u16(30), str("c")] as const;
	const will = [str("w"), str("gone")] as const;
	yield connect("of MQTT 3.1", "MQTT-3.1.2-1", str("MQIsdp"), 3, 2, ...after);
	yield connect("of MQTT in small letters", "MQTT-3.1.2-1", str("mqtt"), 4, 2, ...after);
	yield connect("of version 5", "MQTT-3.1.2-2", str("MQTT"), 5, 2, ...after);
	yield connect("of a bridge, level 0x84", "MQTT-3.1.2-2", str("MQTT"), 0x84, 2, ...after);
	yield connect("with the reserved flag", "MQTT-3.1.2-3", ...MQTT4, 3, ...after);
	yield connect("with will QoS 1 but no will", "MQTT-3.1.2-13", ...MQTT4, 0x0a, ...after);
	yield connect("with will QoS 2 but no will", "MQTT-3.1.2-13", ...MQTT4, 0x12, ...after);
	yield connect("with will retain but no will", "MQTT-3.1.2-15", ...MQTT4, 0x22, ...after);
	yield connect("with will QoS 3", "MQTT-3.1.2-14", ...MQTT4, 0x1e, ...after, ...will);
	yield connect("with a will", undefined, ...MQTT4, 0x36, ...after, ...will);
	yield connect("with an empty will message", undefined, ...MQTT4, 0x06, ...after, str("w"), str(""));
	yield connect("with the will flag but no will", "3.1.1", ...MQTT4, 0x06, ...after);
	yield connect("with a will topic but no will message", "3.1.1", ...MQTT4, 0x06, ...after, str("w"));
	yield connect("with a will but no will flag", "3.1.1", ...MQTT4, 0x02, ...after, ...will);
	yield connect("with an empty will topic", "MQTT-4.7.3-1", ...MQTT4, 0x06, ...after, str(""), str("gone"));
	yield connect("with a wildcard in the will topic", "MQTT-4.7.1-1", ...MQTT4, 0x06, ...after, str("a/#"), str("gone"));
	yield connect("with a password but no user name", "MQTT-3.1.2-22", ...MQTT4, 0x42, ...after, str("p"));
	yield connect("with user name and password", undefined, ...MQTT4, 0xc2, ...after, str("u"), str("p"));
	yield connect("with a binary password", undefined, ...MQTT4, 0xc2, ...after, str("u"), str(Buffer.of(0, 255, 0xc0)));
	yield connect("with a user name alone", undefined, ...MQTT4, 0x82, ...after, str("u"));
	yield connect("with the user name flag but no user name", "3.1.1", ...MQTT4, 0x82, ...after);
	yield connect("with the password flag but no password", "3.1.1", ...MQTT4, 0xc2, ...after, str("u"));
	yield connect("with a user name but no flag", "3.1.1", ...MQTT4, 0x02, ...after, str("u"));
	yield connect("with a password but no flag", "3.1.1", ...MQTT4, 0x82, ...after, str("u"), str("p"));
	yield connect("without a client identifier", "3.1.1", ...MQTT4, 0x02, u16(30));
	yield connect("without keep alive", "3.1.1", ...MQTT4, 0x02);
	yield connect("with an empty client identifier and CleanSession 1", undefined, ...MQTT4, 0x02, u16(30), str(""));
	yield connect("with an empty client identifier and CleanSession 0", "MQTT-3.1.3-7", ...MQTT4, 0, u16(30), str(""));
	yield connect("with a client identifier of 65,535 bytes", undefined, ...MQTT4, 0x02, u16(30), str(LONGEST));
	yield connect("with keep alive 0", undefined, ...MQTT4, 0x02, u16(0), str("c"));
	yield connect("with keep alive 65,535", undefined, ...MQTT4, 0x02, u16(65_535), str("c"));
}

const ILL_FORMED: Readonly<Record<string, readonly number[]>> = {
	"a continuation byte alone": [0x80],
	"a second byte that is missing": [0xc3],
	"a second byte that is no continuation": [0xc3, 0x28],
	"an overlong slash": [0xc0, 0xaf],
	"an overlong U+0000": [0xc0, 0x80],
	"an overlong U+007F": [0xc1, 0xbf],
	"an overlong euro sign": [0xf0, 0x82, 0x82, 0xac],
	"an overlong form in 3 bytes": [0xe0, 0x80, 0xaf],
	"a high surrogate": [0xed, 0xa0, 0x80],
	"a low surrogate": [0xed, 0xbf, 0xbf],
	"a surrogate pair in 6 bytes": [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80],
	"a code point over U+10FFFF": [0xf4, 0x90, 0x80, 0x80],
	"a form in 5 bytes": [0xf8, 0x88, 0x80, 0x80, 0x80],
	"byte FE": [0xfe],
	"byte FF": [0xff],
	"a cut emoji": [0xf0, 0x9f, 0x98],
};
const WELL_FORMED: Readonly<Record<string, string>> = {
	"U+FEFF in front": "\ufeffa",
	"U+FEFF in the middle": "a\ufeffb",
	"control characters": "\u0001\u001f\u007f\u009f",
	"CR and LF": "a\r\nb",
	"a non-character": "a\uffff",
	"an emoji": "😀",
	"the last code point": "\u{10ffff}",
	"the borders of the surrogates": "\ud7ff\ue000",
	"Unicode and spaces": "室 温/℃",
};

function* stringCases(): Generator<PacketCase> {
	const places: Readonly<Record<string, (text: Uint8Array) => Omit<PacketCase, "name" | "clause">>> = {
		"PUBLISH topic": (text) => ({ from: "server", bytes: packet(0x30, str(text), 1) }),
		"CONNECT client identifier": (text) => ({ from: "client", bytes: packet(0x10, ...MQTT4, 2, u16(0), str(text)) }),
		"CONNECT user name": (text) => ({
			from: "client",
			bytes: packet(0x10, ...MQTT4, 0x82, u16(0), str("c"), str(text)),
		}),
		"CONNECT will topic": (text) => ({
			from: "client",
			bytes: packet(0x10, ...MQTT4, 6, u16(0), str("c"), str(text), str("")),
		}),
		"SUBSCRIBE filter": (text) => ({ from: "client", bytes: packet(0x82, ID, str(text), 0) }),
		"UNSUBSCRIBE filter": (text) => ({ from: "client", bytes: packet(0xa2, ID, str(text)) }),
	};
	for (const [place, build] of Object.entries(places)) {
		for (const [name, bytes] of Object.entries(ILL_FORMED)) {
			yield { name: `${place} with ${name}`, ...build(Buffer.from([0x61, ...bytes])), clause: "MQTT-1.5.3-1" };
		}
		for (const text of ["\0", "a\0", "\0a", "温\0度"]) {
			yield { name: `${place} ${JSON.stringify(text)}`, ...build(Buffer.from(text)), clause: "MQTT-1.5.3-2" };
		}
		for (const [name, text] of Object.entries(WELL_FORMED)) {
			yield { name: `${place} with ${name}`, ...build(Buffer.from(text)) };
		}
	}
}

/** Cases over all 14 packet types, made by hand or by rule. */
export const packetCorpus: readonly PacketCase[] = [
	...flagCases(),
	...typeCases(),
	...lengthCases(),
	...publishCases(),
	...idCases(),
	...connAckCases(),
	...subscribeCases(),
	...connectCases(),
	...stringCases(),
];
