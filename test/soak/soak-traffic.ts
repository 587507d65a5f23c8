import { historyTime } from "../faults/support/wire-history.js";
import { connectDevice, type MqttDevice } from "../support/mqtt-device.js";
import type { InputLedger } from "./input-ledger.js";
import type { CreateAnswer, OutputLedger } from "./output-ledger.js";
import type { SoakParts } from "./soak-parts.js";

/** Messages a second, each way. */
const PUBLISHES = 100;
const CREATES = 50;
/** On their way at once; beyond it, the next ones wait. */
const MAX_PUBLISHES = 2_000;
const MAX_CREATES = 100;
const TICK_MS = 50;

/** Numbered messages both ways, and what was heard of them. Call `take` often: it tells the ledgers, in the order in which things happened. */
export class SoakTraffic implements AsyncDisposable {
	/** The number of the next message to the app. */
	nextIn = 0;
	/** The number of the next call. */
	nextOut = 0;
	readonly #parts: SoakParts;
	readonly #input: InputLedger;
	readonly #output: OutputLedger;
	readonly #publisher: MqttDevice;
	readonly #subscriber: MqttDevice;
	readonly #answers: { readonly number: number; readonly answer: CreateAnswer; readonly at: number }[] = [];
	#publishing = 0;
	#calling = 0;
	#timer: NodeJS.Timeout | undefined;
	#debt = { in: 0, out: 0 };

	constructor(parts: SoakParts, input: InputLedger, output: OutputLedger, devices: readonly [MqttDevice, MqttDevice]) {
		this.#parts = parts;
		this.#input = input;
		this.#output = output;
		[this.#publisher, this.#subscriber] = devices;
	}

	static async connect(parts: SoakParts, input: InputLedger, output: OutputLedger): Promise<SoakTraffic> {
		const { url } = parts.broker;
		const publisher = await connectDevice(url, { clientId: "publisher", clean: false, reconnectPeriod: 100 });
		const subscriber = await connectDevice(url, { clientId: "subscriber", clean: false, reconnectPeriod: 100 });
		await subscriber.subscribe("soak/out", 1);
		return new SoakTraffic(parts, input, output, [publisher, subscriber]);
	}

	/** Calls and publishes without an answer yet. */
	get pending(): number {
		return this.#publishing + this.#calling + this.#answers.length;
	}

	start(): void {
		let before = performance.now();
		this.#timer = setInterval(() => {
			const now = performance.now();
			const seconds = Math.min((now - before) / 1_000, 1);
			before = now;
			this.#debt.in += PUBLISHES * seconds;
			this.#debt.out += CREATES * seconds;
			for (; this.#debt.in >= 1; this.#debt.in--) {
				// What MQTT.js is given while it is offline, it may send twice.
				if (this.#publisher.client.connected && this.#publishing < MAX_PUBLISHES) void this.#publish();
			}
			for (; this.#debt.out >= 1; this.#debt.out--) if (this.#calling < MAX_CREATES) void this.#create();
		}, TICK_MS);
	}

	stop(): void {
		clearInterval(this.#timer);
	}

	/** The wire is cut off first: what the app wrote before an acknowledgement passed is then in its file. */
	take(): void {
		const wire = this.#parts.proxy.history.splice(0);
		const answers = this.#answers.splice(0);
		this.#parts.app.read((accepted, number) => {
			if (accepted) this.#input.appAccepted(number, historyTime());
			else this.#input.appRefused(number);
		});
		for (const event of wire) {
			this.#input.wire(event);
			this.#output.wire(event);
		}
		for (const { number, answer, at } of answers) this.#output.answered(number, answer, at);
		for (const { payload } of this.#subscriber.messages.splice(0)) {
			const number = /o-(\d+)/.exec(payload.toString("latin1"))?.[1];
			if (number !== undefined) this.#output.received(Number(number), historyTime());
		}
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.stop();
		await this.#publisher[Symbol.asyncDispose]();
		await this.#subscriber[Symbol.asyncDispose]();
	}

	async #publish(): Promise<void> {
		const number = this.nextIn++;
		this.#publishing++;
		try {
			await this.#publisher.publish("soak/in", `i-${number}`);
			this.#input.published(number, historyTime());
		} catch {
			// Not acknowledged to its publisher: nobody promised anything.
		} finally {
			this.#publishing--;
		}
	}

	async #create(): Promise<void> {
		const number = this.nextOut++;
		this.#calling++;
		this.#output.called(number);
		const body = { operation: "create", data: `o-${number}`, metadata: { topic: "soak/out" } };
		let answer: CreateAnswer = "no answer";
		try {
			const response = await this.#parts.sidecar.create("soak", body);
			const text = await response.text();
			if (response.ok) answer = "success";
			else if (text.includes("not sent")) answer = "not sent";
			else if (text.includes("outcome unknown")) answer = "outcome unknown";
		} catch {
			// The sidecar is down, or went down with the call in its hands.
		}
		this.#answers.push({ number, answer, at: historyTime() });
		this.#calling--;
	}
}
