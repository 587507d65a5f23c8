import { type CreateRecord, type Histories, messageId } from "./histories.js";
import { type Violation, witnessLine } from "./violation.js";

/** A PUBLISH that was written before the error may be seen that much later, as the proxy is a process like others. */
const SEEN_LATE_MS = 1_000;

/** I6: success only after the PUBACK for exactly that PUBLISH. I7: after an error no PUBLISH of it, and none ever of what was *not sent*. */
export function checkCreates({ wire, creates }: Histories): Violation[] {
	const violations: Violation[] = [];
	const byId = new Map<string, CreateRecord>();
	for (const create of creates) byId.set(create.id, create);
	/** Connection → identifier → message. */
	const unanswered = new Map<number, Map<number, string>>();
	const acknowledgedAt = new Map<string, number>();
	const openedAt = new Map<number, number>();
	/** Until when bytes may be under way for long: the proxy holds them up. */
	let slowUntil = Number.NEGATIVE_INFINITY;

	for (const event of wire) {
		if (event.event === "opened") openedAt.set(event.epoch, event.at);
		if (event.event === "fault" && /^(blackhole|shape)/.test(event.what)) slowUntil = Number.POSITIVE_INFINITY;
		if (event.event === "healed") slowUntil = event.at + SEEN_LATE_MS;
		if (event.event !== "packet") continue;
		const { at, epoch, packet, direction, fate } = event;
		if (packet.type === "publish" && direction === "from client" && fate !== "released") {
			const id = messageId(packet.payload ?? "");
			const create = byId.get(id);
			if (create === undefined) continue;
			if (packet.id !== undefined) {
				if (!unanswered.has(epoch)) unanswered.set(epoch, new Map());
				unanswered.get(epoch)!.set(packet.id, id);
			}
			const { answer, answeredAt } = create;
			const isNew = openedAt.get(epoch)! > answeredAt;
			const isLate = isNew || (at > slowUntil && at > answeredAt + SEEN_LATE_MS && openedAt.get(epoch)! <= answeredAt);
			if (answer !== "not sent" && !(answer === "outcome unknown" && isLate)) continue;
			violations.push({
				invariant: "I7",
				message: `"${id}" was written although create had answered "${answer}"`,
				witness: [
					witnessLine(answeredAt, `create of "${id}" answers "${answer}"`),
					witnessLine(
						at,
						`PUBLISH ${packet.id} "${id}" on connection ${epoch}, opened at ${openedAt.get(epoch)!.toFixed(1)}`,
					),
				],
			});
		} else if (
			packet.type === "puback" &&
			direction === "from server" &&
			(fate === "forwarded" || fate === "released")
		) {
			const id = unanswered.get(epoch)?.get(packet.id!);
			if (id === undefined) continue;
			unanswered.get(epoch)!.delete(packet.id!);
			if (!acknowledgedAt.has(id)) acknowledgedAt.set(id, at);
		}
	}
	for (const { id, answer, answeredAt } of creates) {
		const at = acknowledgedAt.get(id) ?? Number.POSITIVE_INFINITY;
		if (answer !== "success" || at <= answeredAt) continue;
		violations.push({
			invariant: "I6",
			message: `create of "${id}" answered success ${at === Number.POSITIVE_INFINITY ? "without a" : "before the"} PUBACK`,
			witness: [
				witnessLine(answeredAt, `create of "${id}" answers success`),
				at === Number.POSITIVE_INFINITY ? `no PUBACK for "${id}" came` : witnessLine(at, `PUBACK for "${id}" received`),
			],
		});
	}
	return violations;
}
