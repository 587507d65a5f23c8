import { type Line, type LineOptions, startLine } from "../../integration/sidecar/line.js";
import { checkHistories } from "./checker.js";
import { failureReport } from "./failure-report.js";
import { type FaultProxy, startFaultProxy } from "./fault-proxy.js";
import { type AppCall, type Histories, messageId } from "./histories.js";
import type { WireEvent } from "./wire-history.js";

/** Fields by which a refused message may be acknowledged. */
const DISPOSITIONS = ["onRetriesExhausted", "dropOn", "deadLetterOn", "deadLetterTopic"];
/** So much of a payload stands in the history of the wire. */
const KEPT_OF_PAYLOAD = 256;

/**
 * As startLine(), with a proxy before the broker that writes down what it passes on. Disposing holds that and the app's log against I2 to I5, I13 and,
 * with `ordering: topic`, I14; it rejects with the witnesses when one is broken.
 */
export async function startWatchedLine(options: LineOptions = {}): Promise<Line> {
	let proxy: FaultProxy | undefined;
	const line = await startLine({
		...options,
		between: async ({ port }) => {
			proxy = await startFaultProxy(port);
			return proxy;
		},
	});
	return {
		...line,
		[Symbol.asyncDispose]: async () => {
			const histories = historiesOf(line, proxy!.history, options);
			await line[Symbol.asyncDispose]();
			const violations = checkHistories(histories, { messages: 1, faults: 0 });
			if (violations.length === 0) return;
			throw new Error(failureReport(violations, histories, { sidecar: line.sidecar.output, broker: line.broker.log }));
		},
	};
}

function historiesOf({ app }: Line, history: readonly WireEvent[], { fields = {} }: LineOptions): Histories {
	const wire = [...history];
	const calls = app.requests().map(({ payload, headers, at, status, answeredAt }): AppCall => {
		const id = messageId(payload.toString("latin1", 0, KEPT_OF_PAYLOAD));
		const answer = status !== undefined && answeredAt !== undefined && { status, answeredAt };
		return { id, topic: headers.topic ?? "", at, ...answer };
	});
	// Without identifiers nothing tells one from a copy.
	const unacknowledged = new Set(
		wire.flatMap((event) =>
			event.event === "packet" && event.packet.qos === 0 ? [messageId(event.packet.payload!)] : [],
		),
	);
	const refused = calls.filter(({ status = 0 }) => status < 200 || status > 299);
	const disposes = DISPOSITIONS.some((field) => fields[field] !== undefined);
	return {
		seed: 0,
		published: [],
		wire,
		app: calls.filter(({ id }) => !unacknowledged.has(id)),
		creates: [],
		faults: [],
		appLosses: [...app.ends],
		brokerKills: [],
		brokerDropped: 0,
		...stopsOf(wire),
		disposed: disposes ? refused.map(({ id, at, answeredAt = at }) => ({ id, at: answeredAt })) : [],
		ackOrder: fields.ackOrder === "strict" ? "strict" : "arrival",
		ordering: fields.ordering === "topic" ? "topic" : "none",
	};
}

/** A connection that ends with DISCONNECT is that of a sidecar which was told to stop, some time after it had opened. */
function stopsOf(wire: readonly WireEvent[]): Pick<Histories, "stops" | "ends"> {
	const disconnects = wire.filter((event) => event.event === "packet" && event.packet.type === "disconnect");
	const opened = new Map(wire.flatMap(({ event, epoch, at }) => (event === "opened" ? [[epoch, at] as const] : [])));
	return { stops: disconnects.map(({ epoch }) => opened.get(epoch)!), ends: disconnects.map(({ at }) => at) };
}
