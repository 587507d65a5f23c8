import type { FaultRun, FaultRunOptions } from "../support/fault-run.js";
import type { Replacement } from "../support/patched-build.js";

/** A build that is wrong on purpose, and what shows it. */
export interface SeededBug {
	readonly name: string;
	readonly replacements: readonly Replacement[];
	/** What the checker must say: one of these at least. */
	readonly breaks: readonly string[];
	readonly options?: Omit<FaultRunOptions, "seed">;
	/** What provokes it. */
	readonly provoke: (run: FaultRun) => Promise<void>;
	/** How long the end of the run waits for what a wrong build never brings. */
	readonly liveMs: number;
	/** Messages that an honest run brings to the app at least. */
	readonly messages: number;
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Publishes so many and cuts the connection while the app works on the first of them. */
async function cutUnderLoad(run: FaultRun, messages: number): Promise<void> {
	run.publisher.burst(messages);
	await run.waitForCalls(5);
	run.proxy.reset();
	await pause(400);
}

/** The seven of faults.md. */
export const SEEDED_BUGS: readonly SeededBug[] = [
	{
		name: "acknowledges before the app accepted",
		replacements: [
			{
				file: "bindings/mqtt3-input.js",
				from: "        this.#running.add(delivery);\n",
				to: "        this.#running.add(delivery);\n        delivery.ack();\n",
			},
		],
		breaks: ["I2"],
		options: { app: { delayMs: 100 } },
		provoke: (run) => cutUnderLoad(run, 60),
		liveMs: 2_000,
		messages: 60,
	},
	{
		name: "sends an acknowledgement on a connection that did not bring the message",
		replacements: [
			{
				file: "mqtt/inbound.js",
				from: `        if (delivery.state === "live") {
            this.#queue.settle(delivery);
            this.onAckReady();
        }
        return true;`,
				to: `        if (delivery.state === "live")
            this.#queue.settle(delivery);
        else
            this.#queue.add(delivery);
        this.onAckReady();
        return true;`,
			},
		],
		breaks: ["I3"],
		options: { app: { delayMs: 1_500 } },
		// The app's answer comes while the second connection is up, on which the broker's redelivery got lost.
		provoke: async (run) => {
			run.proxy.on("from server", "publish", (packet) => packet.dup === true && run.proxy.links[0]?.epoch === 2, {
				packet: "swallowed",
			});
			run.publisher.burst(5);
			await run.waitForCalls(5);
			run.proxy.reset();
			await run.waitForAccepted(5);
			await pause(500);
			run.proxy.reset();
		},
		liveMs: 2_000,
		messages: 5,
	},
	{
		name: "acknowledges in the order of completion",
		replacements: [
			{
				file: "mqtt/ack-queue.js",
				from: `        if (head === undefined || !head.accepted)
            return undefined;
        this.#settled--;
        this.#unlink(head);
        return head;`,
				to: `        let any = head;
        while (any !== undefined && !any.accepted)
            any = any.next;
        if (any === undefined)
            return undefined;
        this.#settled--;
        this.#unlink(any);
        return any;`,
			},
		],
		breaks: ["I4"],
		options: { app: { delayMs: [0, 200] } },
		provoke: (run) => cutUnderLoad(run, 60),
		liveMs: 2_000,
		messages: 60,
	},
	{
		name: "drops what is unfinished when the connection ends",
		replacements: [
			{
				file: "mqtt/inbound.js",
				from: `                delivery.state = "orphan";
                this.#orphans.add(delivery);`,
				to: `                delivery.state = "orphan";
                delivery.accepted = true;
                delivery.stage = "settled";
                this.#orphans.add(delivery);`,
			},
		],
		breaks: ["I1", "I2"],
		options: { app: { delayMs: 1_000 } },
		provoke: (run) => cutUnderLoad(run, 20),
		liveMs: 2_000,
		messages: 20,
	},
	{
		name: "answers a create with success once it is written",
		replacements: [
			{
				file: "mqtt/outbound.js",
				from: `                this.#order.add(publish);`,
				to: `                this.#order.add(publish);
                this.#settle(publish, undefined);`,
			},
		],
		breaks: ["I6"],
		provoke: async (run) => {
			run.publisher.burst(5);
			run.caller.start(2);
			await pause(300);
			await run.proxy.on("from server", "puback", 5, { packet: "swallowed", after: (link) => link.reset() });
			await pause(500);
		},
		liveMs: 3_000,
		messages: 5,
	},
	{
		name: "acknowledges a message twice when the broker sent a copy of it",
		replacements: [
			{
				file: "mqtt/inbound.js",
				from: `packet.dup && equalMessages(older.packet, packet)) {
            this.counters.copies++;`,
				to: `packet.dup && equalMessages(older.packet, packet)) {
            older.copies = (older.copies ?? 0) + 1;`,
			},
			{
				file: "mqtt/inbound.js",
				from: `                sink("pubAck", packetId);`,
				to: `                for (let answers = delivery.copies ?? 0; answers >= 0; answers--)
                    sink("pubAck", packetId);`,
			},
		],
		breaks: ["I5"],
		options: { app: { delayMs: 300 } },
		provoke: async (run) => {
			run.proxy.on("from server", "publish", 2, { after: (link, packet) => run.proxy.resend(link, packet) });
			run.publisher.burst(5);
			await run.waitForAccepted(5);
			await pause(200);
		},
		liveMs: 3_000,
		messages: 5,
	},
	{
		name: "trusts a session that it never subscribed in",
		replacements: [
			{
				file: "mqtt/subscriptions.js",
				from: "        this.#due = this.#requested && !trusted ? this.#wanted : [];",
				to: "        this.#due = this.#requested && !sessionPresent ? this.#wanted : [];",
			},
		],
		breaks: ["I1"],
		options: {
			untilReady: false,
			before: (run) => {
				run.proxy.on("from server", "connack", 1, { packet: "swallowed", after: (link) => link.reset() });
			},
		},
		provoke: async (run) => {
			await pause(1_500);
			run.publisher.burst(20);
		},
		liveMs: 3_000,
		messages: 20,
	},
];
