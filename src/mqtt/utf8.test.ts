import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeUtf8, isTooLong, stringFault } from "./utf8.js";

const decode = (bytes: Uint8Array) => decodeUtf8(Buffer.from(bytes), 0, bytes.length, "it");

describe("strings", { timeout: 30_000 }, () => {
	it("are decoded as a strict decoder does, but for U+0000", () => {
		const reference = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
		const nearlyUtf8 = fc
			.tuple(fc.string({ unit: "binary" }), fc.uint8Array({ maxLength: 2 }), fc.string({ unit: "binary" }))
			.map(([before, bytes, behind]) => Buffer.concat([Buffer.from(before), bytes, Buffer.from(behind)]));
		fc.assert(
			fc.property(nearlyUtf8, (bytes) => {
				let expected: string | undefined;
				try {
					expected = reference.decode(bytes);
				} catch {
					expected = undefined;
				}
				if (bytes.includes(0)) expect(() => decode(bytes)).toThrow("it holds U+0000 [MQTT-1.5.3-2]");
				else if (expected === undefined)
					expect(() => decode(bytes)).toThrow("it is not well-formed UTF-8 [MQTT-1.5.3-1]");
				else expect(decode(bytes)).toBe(expected);
			}),
			{ numRuns: 500 },
		);
	});

	it("[MQTT-1.5.3-1] can be sent exactly when they are well-formed", () => {
		const units = fc.array(fc.constantFrom(0x61, 0xd7ff, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe000, 0xffff), {
			maxLength: 6,
		});
		fc.assert(
			fc.property(units, (codes) => {
				const text = String.fromCharCode(...codes);
				const survives = Buffer.from(text).toString() === text;
				expect(stringFault(text)?.clause).toBe(survives ? undefined : "MQTT-1.5.3-1");
			}),
		);
	});

	it("[MQTT-1.5.3-2] cannot be sent with U+0000", () => {
		expect(stringFault("a\0b")).toEqual({ clause: "MQTT-1.5.3-2", reason: "holds U+0000" });
	});

	it("[MQTT-1.5.3-3] keep U+FEFF in front, in the middle and at the end", () => {
		expect(decode(Buffer.of(0xef, 0xbb, 0xbf, 0x61, 0xef, 0xbb, 0xbf))).toBe("\ufeffa\ufeff");
		expect(decode(Buffer.of(0xef, 0xbb, 0xbf))).toHaveLength(1);
		expect(stringFault("\ufeff")).toBeUndefined();
	});

	it("are measured in bytes of UTF-8", () => {
		for (const [character, size] of [
			["a", 1],
			["é", 2],
			["温", 3],
			["😀", 4],
		] as const) {
			const most = Math.floor(65_535 / size);
			expect(isTooLong(character.repeat(most))).toBe(false);
			expect(isTooLong(character.repeat(most + 1))).toBe(true);
			expect(stringFault(character.repeat(most + 1))?.clause).toBe("1.5.3");
		}
	});
});
