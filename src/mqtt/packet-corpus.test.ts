import { describe, expect, it } from "vitest";
import { byteByByte, decodeAll } from "../../test/support/decode-all.js";
import { packetCorpus } from "../../test/support/packet-corpus.js";
import { PACKET_TYPE } from "./packet.js";

const anyPacket = Buffer.of(0x50, 2, 0x12, 0x34);

describe("packet corpus", () => {
	it("holds at least 300 different cases over all 14 types", () => {
		const names = new Set(packetCorpus.map(({ name, from }) => `${from}: ${name}`));
		expect(names.size).toBe(packetCorpus.length);
		expect(packetCorpus.length).toBeGreaterThanOrEqual(300);
		const types = new Set(packetCorpus.map(({ bytes }) => (bytes[0] ?? 0) >> 4));
		for (const type of Object.values(PACKET_TYPE)) expect(types).toContain(type);
	});

	for (const { name, from, bytes, clause, packets = clause === undefined ? 1 : 0 } of packetCorpus) {
		if (clause === undefined) {
			it(`${name} from the ${from} survives`, () => {
				for (const chunks of [[bytes], byteByByte(bytes)]) {
					const result = decodeAll(chunks, { from });
					expect(result.error).toBeUndefined();
					expect(result.packets).toHaveLength(packets);
				}
				if (packets > 0) expect(decodeAll([bytes, anyPacket], { from }).packets).toHaveLength(packets + 1);
			});
		} else {
			it(`[MQTT-4.8.0-1] ${name} from the ${from} is refused by ${clause}`, () => {
				for (const chunks of [[bytes], byteByByte(bytes), [bytes, anyPacket]]) {
					const result = decodeAll(chunks, { from });
					expect(result.error?.clause).toBe(clause);
					expect(result.error?.message).toMatch(/^\S.*[^.] \[[-.\w]+\]$/);
					expect(result.packets).toHaveLength(packets);
				}
				expect(decodeAll([anyPacket], { from }).packets).toHaveLength(1);
			});
		}
	}
});
