import { describe, expect, it } from "vitest";
import { createCa } from "../../test/support/certificates.js";
import { MqttConnectionError, MqttProtocolError, MqttRefusedError } from "../errors.js";
import { lossCause } from "../mqtt/loss-cause.js";
import { certificateDays } from "./mqtt3-statistics.js";

const dayMs = 86_400_000;

describe("certificates", () => {
	it("count the days of the one that expires first", async () => {
		const now = Date.now();
		const ca = await createCa();
		const soon = await ca.issue({ notAfter: new Date(now + 3 * dayMs) });
		const later = await ca.issue({ notAfter: new Date(now + 30 * dayMs) });
		const { client } = certificateDays({ insecureSkipVerify: false, cert: later.cert + soon.cert }, now);
		expect(client).toBeCloseTo(3, 3);
		const expired = await ca.issue({ notBefore: new Date(now - 3 * dayMs), notAfter: new Date(now - dayMs) });
		expect(certificateDays({ insecureSkipVerify: false, ca: expired.cert }, now).ca).toBeCloseTo(-1, 3);
	});

	it("that are not there count nothing", () => {
		expect(certificateDays(undefined, 0)).toEqual({});
		expect(certificateDays({ insecureSkipVerify: true }, 0)).toEqual({});
	});
});

it("a loss has one of a few words", () => {
	const url = "mqtt://h";
	expect([
		lossCause(new MqttConnectionError("x", { url, reason: "reset" })),
		lossCause(new MqttRefusedError("x", { returnCode: 5 })),
		lossCause(new MqttProtocolError("MQTT-2.2.2-2", "x")),
		lossCause(new Error("x")),
	]).toEqual(["reset", "connack-5", "protocol", "other"]);
});
