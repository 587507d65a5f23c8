import type { AppVerdict } from "./app-verdicts.js";
import { type Histories, messageId } from "./histories.js";
import { type Violation, witnessLine } from "./violation.js";
import type { WirePacket } from "./wire-packet.js";

/** Settled acknowledgements wait so long behind an unsettled delivery before that is passed over; 10 s, less what clocks differ by. */
const OVERDUE_MS = 9_800;

/** A QoS 1 PUBLISH that reached a sidecar, with its place. */
interface Arrival {
	readonly packet: WirePacket;
	readonly id: string;
	readonly at: number;
	readonly place: number;
	/** Acknowledged, or its identifier was given to another message. */
	gone: boolean;
}

/** One connection's un-acknowledged arrivals. */
interface Connection {
	/** By packet identifier. */
	readonly open: Map<number, Arrival>;
	/** In order; what stands before `oldest` was acknowledged or may be overtaken. */
	readonly places: Arrival[];
	oldest: number;
	/** The last message acknowledged by each identifier. */
	readonly acknowledged: Map<number, string>;
}

/** I2 no early acknowledgement, I3 none for another connection, I4 their order, I5 one for each arrival. */
export function checkAcknowledgements(
	{ wire, stops, ends, appLosses, ackOrder }: Histories,
	verdicts: ReadonlyMap<string, AppVerdict>,
): Violation[] {
	const violations: Violation[] = [];
	const connections = new Map<number, Connection>();
	/** Connection that last brought each identifier. */
	const broughtBy = new Map<number, number>();
	let lastLoss = Number.NEGATIVE_INFINITY;
	let losses = 0;
	let lastStop = Number.NEGATIVE_INFINITY;
	let stopped = 0;
	const openedAt = new Map<number, number>();
	/** When each message first came: an attempt that failed then may be passed over on every later connection. */
	const firstCame = new Map<string, number>();

	/** The sidecar of this connection had been told to stop: what is finished is acknowledged, whatever is before it. */
	const isStopping = (epoch: number): boolean => {
		const opened = openedAt.get(epoch)!;
		return lastStop >= opened || (stopped > 0 && !ends.some((end) => end >= lastStop && end <= opened));
	};

	const mayBeOvertaken = ({ id, at: arrivedAt }: Arrival, epoch: number, at: number): boolean => {
		if (ackOrder === "strict") return false;
		if ((verdicts.get(id)?.failedAt ?? Number.POSITIVE_INFINITY) <= at) return true;
		return at - arrivedAt >= OVERDUE_MS || lastLoss >= (firstCame.get(id) ?? arrivedAt) || isStopping(epoch);
	};

	for (const event of wire) {
		if (event.event === "opened") openedAt.set(event.epoch, event.at);
		if (event.event !== "packet" || (event.packet.type !== "publish" && event.packet.type !== "puback")) continue;
		const { at, epoch, packet, direction, fate } = event;
		const packetId = packet.id ?? 0;
		let connection = connections.get(epoch);
		if (connection === undefined) {
			connection = { open: new Map(), places: [], oldest: 0, acknowledged: new Map() };
			connections.set(epoch, connection);
		}
		while (stopped < stops.length && stops[stopped]! <= at) lastStop = stops[stopped++]!;
		while (losses < appLosses.length && appLosses[losses]! <= at) lastLoss = appLosses[losses++]!;
		if (direction === "from server") {
			if (packet.type !== "publish" || packet.qos !== 1 || fate === "swallowed" || fate === "held") continue;
			const older = connection.open.get(packetId);
			if (older !== undefined && packet.dup && sameMessage(older.packet, packet)) continue;
			if (older !== undefined) older.gone = true;
			const place = connection.places.length;
			const arrival: Arrival = { packet, id: messageId(packet.payload ?? ""), at, place, gone: false };
			if (!firstCame.has(arrival.id)) firstCame.set(arrival.id, at);
			connection.open.set(packetId, arrival);
			connection.places.push(arrival);
			broughtBy.set(packetId, epoch);
			continue;
		}
		if (packet.type !== "puback" || fate === "released") continue;
		const written = witnessLine(at, `PUBACK ${packetId} written on connection ${epoch}`);
		const arrival = connection.open.get(packetId);
		if (arrival === undefined) {
			violations.push(unfounded(connection, packetId, epoch, broughtBy.get(packetId), written));
			continue;
		}
		connection.open.delete(packetId);
		connection.acknowledged.set(packetId, arrival.id);
		const came = witnessLine(arrival.at, `PUBLISH ${packetId} "${arrival.id}" received on connection ${epoch}`);
		const settledAt = verdicts.get(arrival.id)?.settledAt ?? Number.POSITIVE_INFINITY;
		if (settledAt > at) {
			const later =
				settledAt === Number.POSITIVE_INFINITY
					? `the app never accepted "${arrival.id}"`
					: witnessLine(settledAt, `the app's 2xx for "${arrival.id}"`);
			violations.push({
				invariant: "I2",
				message: `"${arrival.id}" was acknowledged before the app accepted it`,
				witness: [came, written, later],
			});
		}
		for (; connection.oldest < arrival.place; connection.oldest++) {
			const older = connection.places[connection.oldest]!;
			if (older.gone || mayBeOvertaken(older, epoch, at)) continue;
			violations.push({
				invariant: "I4",
				message: `"${arrival.id}" was acknowledged before "${older.id}", which came first and had not failed`,
				witness: [
					witnessLine(older.at, `PUBLISH ${older.packet.id} "${older.id}" received on connection ${epoch}`),
					came,
					written,
				],
			});
		}
		arrival.gone = true;
	}
	return violations;
}

function unfounded(
	connection: Connection,
	packetId: number,
	epoch: number,
	broughtBy: number | undefined,
	written: string,
): Violation {
	const before = connection.acknowledged.get(packetId);
	if (before !== undefined) {
		return {
			invariant: "I5",
			message: `a second PUBACK ${packetId} on connection ${epoch}: "${before}" was acknowledged, and nothing new came`,
			witness: [written],
		};
	}
	return {
		invariant: "I3",
		message:
			broughtBy === undefined
				? `PUBACK ${packetId} for a PUBLISH that no connection brought`
				: `PUBACK ${packetId} on connection ${epoch} for a PUBLISH of connection ${broughtBy}`,
		witness: [written],
	};
}

function sameMessage(one: WirePacket, other: WirePacket): boolean {
	return one.payload === other.payload && one.topic === other.topic && one.qos === other.qos;
}
