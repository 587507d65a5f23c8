import type { AppVerdict } from "./app-verdicts.js";
import { type Histories, messageId } from "./histories.js";
import { type Violation, witnessLine } from "./violation.js";

/** What the proxy passed on so shortly before the end of a connection may not have been read. */
const UNREAD_MS = 1_000;
/** A connection that lasts so long has had the time to subscribe. */
const SUBSCRIBES_WITHIN_MS = 5_000;

/** I1 no loss, I13 duplicates explained, I14 order. */
export function checkDeliveries(histories: Histories, verdicts: ReadonlyMap<string, AppVerdict>): Violation[] {
	const arrivals = readArrivals(histories);
	return [
		...lost(histories, verdicts, arrivals),
		...deaf(histories),
		...duplicates(verdicts, arrivals),
		...(histories.ordering === "topic" ? outOfOrder(verdicts, arrivals) : []),
	];
}

/** What came of one message on the wire. */
interface Arrivals {
	readonly topic: string;
	readonly first: number;
	last: number;
	/** Times it was in flight when a connection ended, or came as a message of its own: each may bring it to the app once more. */
	repeats: number;
}

function readArrivals({ wire, brokerKills }: Histories): ReadonlyMap<string, Arrivals> {
	const byId = new Map<string, Arrivals>();
	/** Connection → identifier → message, and when it was acknowledged. */
	const inFlight = new Map<number, Map<number, { readonly id: string; acknowledgedAt: number }>>();
	for (const event of wire) {
		if (event.event === "closed") {
			// A broker that is killed forgets acknowledgements as well.
			const kill = brokerKills.findLast(({ at }) => at <= event.at + UNREAD_MS && at >= event.at - UNREAD_MS);
			const since = Math.min(event.at - UNREAD_MS, kill?.savedAt ?? event.at);
			for (const { id, acknowledgedAt } of inFlight.get(event.epoch)?.values() ?? []) {
				if (acknowledgedAt >= since) byId.get(id)!.repeats++;
			}
			inFlight.delete(event.epoch);
		}
		if (event.event !== "packet") continue;
		const { at, epoch, packet, direction, fate } = event;
		let open = inFlight.get(epoch);
		if (packet.type === "publish" && direction === "from server" && packet.qos === 1) {
			if (fate === "swallowed" || fate === "held") continue;
			if (open === undefined) {
				open = new Map();
				inFlight.set(epoch, open);
			}
			const id = messageId(packet.payload ?? "");
			const known = byId.get(id);
			if (known === undefined) byId.set(id, { topic: packet.topic!, first: at, last: at, repeats: 0 });
			else {
				known.last = at;
				// Published twice: its publisher had lost the PUBACK.
				if (!packet.dup) known.repeats++;
			}
			open.set(packet.id!, { id, acknowledgedAt: Number.POSITIVE_INFINITY });
		} else if (packet.type === "puback" && direction === "from client") {
			const message = open?.get(packet.id!);
			if (message !== undefined && (fate === "forwarded" || fate === "released")) message.acknowledgedAt = at;
		}
	}
	return byId;
}

function lost(
	{ published, wire, brokerKills, brokerDropped }: Histories,
	verdicts: ReadonlyMap<string, AppVerdict>,
	arrivals: ReadonlyMap<string, Arrivals>,
): Violation[] {
	const granted = wire.find(
		(event) =>
			event.event === "packet" &&
			event.packet.type === "suback" &&
			(event.packet.code === 1 || event.packet.code === 2),
	);
	if (granted === undefined) return [];
	const missing = published.filter(({ id, at, acknowledgedAt }) => {
		if (acknowledgedAt === undefined || at < granted.at) return false;
		if ((verdicts.get(id)?.settledAt ?? Number.POSITIVE_INFINITY) < Number.POSITIVE_INFINITY) return false;
		// What it had not saved went with the broker, unless it sent it afterwards.
		const last = arrivals.get(id)?.last ?? Number.NEGATIVE_INFINITY;
		return !brokerKills.some((kill) => acknowledgedAt >= kill.savedAt && acknowledgedAt <= kill.at && last < kill.at);
	});
	if (missing.length <= brokerDropped) return [];
	return missing.slice(0, 3).map(({ id, acknowledgedAt }) => {
		const came = arrivals.get(id);
		return {
			invariant: "I1",
			message: `"${id}" is lost, one of ${missing.length} (the broker says that it dropped ${brokerDropped})`,
			witness: [
				witnessLine(acknowledgedAt!, `the broker acknowledges "${id}" to its publisher`),
				came ? witnessLine(came.last, `PUBLISH "${id}" passed on to us for the last time`) : "it was never sent to us",
				"the app never accepted it",
			],
		};
	});
}

/** No connection may be trusted to have our subscription without asking (faults.md: F-83, F-93), within the first hour. */
function deaf({ wire }: Histories): Violation[] {
	const accepted = new Map<number, number>();
	const end = wire.at(-1)?.at ?? 0;
	const violations: Violation[] = [];
	const check = (epoch: number, at: number) => {
		const since = accepted.get(epoch);
		accepted.delete(epoch);
		if (since === undefined || at - since < SUBSCRIBES_WITHIN_MS) return;
		violations.push({
			invariant: "I1",
			message: `connection ${epoch} never subscribed: the session may be without our subscription`,
			witness: [witnessLine(since, `CONNACK 0 on connection ${epoch}`), witnessLine(at, "no SUBSCRIBE until then")],
		});
	};
	for (const event of wire) {
		if (event.event === "closed") check(event.epoch, event.at);
		if (event.event !== "packet") continue;
		const { packet, fate, epoch } = event;
		if (packet.type === "connack" && packet.code === 0 && fate === "forwarded") accepted.set(epoch, event.at);
		else if (packet.type === "subscribe") accepted.delete(epoch);
	}
	for (const epoch of [...accepted.keys()]) check(epoch, end);
	return violations;
}

function duplicates(verdicts: ReadonlyMap<string, AppVerdict>, arrivals: ReadonlyMap<string, Arrivals>): Violation[] {
	const violations: Violation[] = [];
	for (const [id, { accepted, lost: appLosses }] of verdicts) {
		const repeats = (arrivals.get(id)?.repeats ?? 0) + appLosses;
		if (accepted - 1 <= repeats) continue;
		violations.push({
			invariant: "I13",
			message: `the app accepted "${id}" ${accepted} times, where ${repeats} repeats are explained by lost connections and crashes`,
			witness: [`"${id}": ${accepted} calls answered with 2xx; in flight at ${repeats} ends`],
		});
	}
	return violations;
}

function outOfOrder(verdicts: ReadonlyMap<string, AppVerdict>, arrivals: ReadonlyMap<string, Arrivals>): Violation[] {
	const violations: Violation[] = [];
	const newest = new Map<string, { readonly id: string; readonly at: number }>();
	// A Map keeps the order in which its keys came: that of the first arrivals.
	for (const [id, { topic, first }] of arrivals) {
		const called = verdicts.get(id)?.firstCall;
		if (called === undefined) continue;
		const before = newest.get(topic);
		if (before !== undefined && before.at > called.at) {
			violations.push({
				invariant: "I14",
				message: `on ${topic} "${id}" came to the app before "${before.id}", which the broker had sent first`,
				witness: [
					witnessLine(first, `PUBLISH "${id}", after "${before.id}"`),
					witnessLine(called.at, `the app is called with "${id}"`),
					witnessLine(before.at, `the app is called with "${before.id}"`),
				],
			});
		} else newest.set(topic, { id, at: called.at });
	}
	return violations;
}
