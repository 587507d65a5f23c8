import { expect } from "vitest";
import { startScene } from "../../integration/client/client-under-test.js";
import { pass, withFastTime } from "../../integration/client/fast-time.js";
import { fault } from "../support/fault.js";

withFastTime();

fault(
	{
		rows: ["F-13"],
		injected: "no CONNACK for 7.5 s, then one on the connection that was given up",
		scale: "connectTimeout 7 s; an injected clock",
	},
	"a CONNACK that never comes ends the attempt in time, and one that comes late is nobody's",
	async ({ seen }) => {
		await using scene = await startScene({ connectTimeoutMs: 7_000 });
		const first = await scene.broker.accept();
		await first.expect("connect");
		first.holdOpen = true;
		await pass(6_500);
		expect(scene.it.client.state).toBe("connecting");
		await pass(1_000);
		await first.closed;
		const { error } = await scene.it.reported("connect-failed");
		expect(error).toMatchObject({ reason: "timeout" });
		expect(error?.message).toContain("no CONNACK within 7000 ms");
		first.send({ cmd: "connack", returnCode: 0, sessionPresent: false });
		const second = await scene.broker.accept();
		await second.expect("connect");
		expect(scene.it.states).not.toContain("online");
		await second.nothing(20);
		second.send({ cmd: "connack", returnCode: 0, sessionPresent: false });
		await scene.it.client.connect();
		seen("given up after 7 s; the late CONNACK changed nothing; online with the second connection's own");
	},
);
