import { expect } from "vitest";
import { distinct, numbers, texts } from "../../integration/sidecar/line.js";
import { fault } from "../support/fault.js";
import { startWatchedLine } from "../support/watched-line.js";

const BACKLOG = 20_000;
/** How far the app is when the sidecar dies. */
const DEATHS = [0.1, 0.3, 0.5, 0.8];
fault(
	{ rows: ["F-70"], injected: `kill -9 ${DEATHS.length} times in a backlog of ${BACKLOG}` },
	"killed in a backlog: nothing is lost, and what comes again is marked",
	async ({ seen: tell }) => {
		await using line = await startWatchedLine();
		const { app, sidecar, device } = line;
		await sidecar.stop();
		await device.publishAll(BACKLOG, (index) => ({ topic: `in/${index % 7}`, payload: String(index) }));
		await sidecar.start();
		for (const share of DEATHS) {
			await app.acceptedAtLeast(Math.floor(share * BACKLOG), 60_000);
			expect(await sidecar.kill()).toEqual({ code: null, signal: "SIGKILL" });
			await sidecar.start();
		}
		const accepted = texts(await app.acceptedAtLeast(BACKLOG, 60_000));
		expect(distinct(accepted)).toEqual(numbers(BACKLOG));

		const seen = new Set<string>();
		for (const { payload, headers } of app.requests()) {
			const text = String(payload);
			if (seen.has(text)) expect(headers.duplicate, `${text} came again`).toBe("true");
			seen.add(text);
		}
		expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
		tell(`${BACKLOG} of ${BACKLOG} accepted, ${app.requests().length - BACKLOG} came again, all marked`);
	},
	240_000,
);

fault(
	{ rows: ["F-70", "S-1"], injected: "kill -9 under load, with mosquitto logging each packet" },
	"killed: only that comes again for which the broker has no acknowledgement",
	async ({ seen }) => {
		await using line = await startWatchedLine({ broker: { logPackets: true } });
		const { broker, app, sidecar, device } = line;
		await sidecar.stop();
		await device.publishAll(2_000, (index) => ({ topic: `in/${index}`, payload: `in/${index}` }));
		await sidecar.start();
		await app.acceptedAtLeast(500);
		await sidecar.kill();
		await broker.line(/Client sidecar-orders closed its connection/);
		const acknowledged = acknowledgedTopics(broker.log);
		expect(acknowledged.size).toBeGreaterThan(0);
		const acceptedBefore = new Set(texts(app.accepted()));
		for (const topic of acknowledged) expect(acceptedBefore.has(topic), `${topic} was acknowledged`).toBe(true);
		const before = app.requests().length;
		await sidecar.start();
		await app.acceptedAtLeast(2_000);
		for (const topic of texts(app.requests().slice(before))) {
			expect(acknowledged.has(topic), `${topic} came again`).toBe(false);
		}
		seen(`${acknowledged.size} messages were acknowledged, and none of them came again`);
	},
);

/** The topics of the messages to the sidecar whose PUBACK mosquitto has read, by its log. */
function acknowledgedTopics(log: readonly string[]): Set<string> {
	const topics = new Map<string, string>();
	const acknowledged = new Set<string>();
	for (const text of log) {
		const sent = /Sending PUBLISH to sidecar-orders \(d\d, q1, r\d, m(\d+), '(.*?)'/.exec(text);
		if (sent) topics.set(sent[1]!, sent[2]!);
		const read = /Received PUBACK from sidecar-orders \(Mid: (\d+)/.exec(text);
		if (read) acknowledged.add(topics.get(read[1]!)!);
	}
	return acknowledged;
}
