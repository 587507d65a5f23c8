import { expect, onTestFinished } from "vitest";
import { type ComponentFields, component, untilReady } from "../../integration/sidecar/component.js";
import { distinct, numbers, texts } from "../../integration/sidecar/line.js";
import { type AppProcess, startApp } from "../../support/app-process.js";
import { eventually } from "../../support/eventually.js";
import { startMosquitto } from "../../support/mosquitto.js";
import { connectDevice, type MqttDevice } from "../../support/mqtt-device.js";
import { startSidecar } from "../../support/sidecar-process.js";
import { fault } from "../support/fault.js";

const MEMBERS = ["one", "two", "three"] as const;

/** Ends with the test. */
function own<Part extends AsyncDisposable>(part: Part): Part {
	onTestFinished(() => part[Symbol.asyncDispose]());
	return part;
}

const fieldsOf = (url: string, member: string, fields: Partial<ComponentFields> = {}) =>
	component({ url, consumerGroup: "workers", consumerID: `worker-${member}`, ...fields });

function publish(device: MqttDevice, from: number, count: number): Promise<void> {
	return device.publishAll(count, (index) => ({ topic: "in/a", payload: String(from + index) }));
}

fault(
	{
		rows: ["S-32"],
		injected:
			"a group of three sidecars on mosquitto: one is stopped in good order, another killed at work, both come back",
		scale: "persistent sessions; with clean ones delivery.md's table allows losses",
	},
	"a shared group: each message to one member, what a member had and its share wait for its return, nothing is lost, nothing acknowledged twice",
	async ({ seen }) => {
		await using broker = await startMosquitto({ logPackets: true });
		const apps: AppProcess[] = [];
		const sidecars = [];
		for (const member of MEMBERS) {
			const app = own(await startApp({ delayMs: 20 }));
			apps.push(app);
			const components = fieldsOf(broker.url, member);
			sidecars.push(own(await startSidecar({ components, appPort: app.port })));
		}
		for (const sidecar of sidecars) await untilReady(sidecar);
		const device = own(await connectDevice(broker.url));
		const accepted = () => distinct(apps.flatMap((app) => texts(app.accepted())));

		await publish(device, 0, 300);
		await eventually(() => expect(accepted()).toEqual(numbers(300)), { timeoutMs: 20_000 });
		const shares = apps.map((app) => app.accepted().length);
		expect(shares.reduce((sum, share) => sum + share)).toBe(300);
		for (const share of shares) expect(share).toBeGreaterThan(50);

		expect(await sidecars[0]!.stop()).toEqual({ code: 0, signal: null });
		expect(broker.log.some((text) => /Received UNSUBSCRIBE/.test(text))).toBe(false);
		const load = publish(device, 300, 600);
		await eventually(() => expect(apps[1]!.accepted().length).toBeGreaterThan(shares[1]! + 20));
		await sidecars[1]!.kill();
		await load;
		const others = accepted().length;
		await sidecars[0]!.start();
		await sidecars[1]!.start();
		await eventually(() => expect(accepted()).toEqual(numbers(900)), { timeoutMs: 30_000 });
		const requests = apps.reduce((sum, app) => sum + app.requests().length, 0);
		// What was at the app of the killed one, and what its PUBACK had not left for.
		const twice = requests - 900;
		const sent = broker.log.filter((text) => /Sending PUBLISH to worker-two \(d1/.test(text)).length;
		expect(twice).toBeLessThanOrEqual(sent);
		seen(
			`shares of 300: ${shares.join(", ")}; ${others} of 900 accepted while one was stopped and one killed, all 900 after their return, ${twice} twice where mosquitto sent ${sent} again`,
		);
	},
	120_000,
);

fault(
	{
		rows: ["F-91"],
		injected: "the only member of a shared group is stopped in good order, messages are published, and it starts again",
	},
	"the only member of a group is redeployed: nothing that was published meanwhile is lost",
	async ({ seen }) => {
		await using broker = await startMosquitto({ logPackets: true });
		await using app = await startApp();
		await using sidecar = await startSidecar({ components: fieldsOf(broker.url, "one"), appPort: app.port });
		await untilReady(sidecar);
		await using device = await connectDevice(broker.url);
		await publish(device, 0, 10);
		await app.acceptedAtLeast(10);
		expect(await sidecar.stop()).toEqual({ code: 0, signal: null });
		await publish(device, 10, 500);
		expect(app.accepted()).toHaveLength(10);
		await sidecar.start();
		expect(distinct(texts(await app.acceptedAtLeast(510, 20_000)))).toEqual(numbers(510));
		expect(app.requests()).toHaveLength(510);
		expect(broker.log.some((text) => /Received UNSUBSCRIBE/.test(text))).toBe(false);
		seen("no UNSUBSCRIBE at the stop; 500 of 500 that were published meanwhile accepted, none twice");
	},
	60_000,
);

fault(
	{
		rows: ["S-32"],
		injected: "one of two members of a group is stopped for good, with leaveGroupOnStop",
	},
	"a member that leaves: its share of what comes goes to the other, at once",
	async ({ seen }) => {
		await using broker = await startMosquitto({ logPackets: true });
		const apps = [own(await startApp()), own(await startApp())];
		const sidecars = [];
		for (const [index, app] of apps.entries()) {
			const components = fieldsOf(broker.url, MEMBERS[index]!, { leaveGroupOnStop: true });
			sidecars.push(own(await startSidecar({ components, appPort: app.port })));
		}
		for (const sidecar of sidecars) await untilReady(sidecar);
		const device = own(await connectDevice(broker.url));
		await publish(device, 0, 100);
		const accepted = () => distinct(apps.flatMap((app) => texts(app.accepted())));
		await eventually(() => expect(accepted()).toEqual(numbers(100)));
		const had = apps[0]!.accepted().length;
		expect(had).toBeGreaterThan(10);
		expect(await sidecars[0]!.stop()).toEqual({ code: 0, signal: null });
		await broker.line(/Received UNSUBSCRIBE from worker-one/);
		await publish(device, 100, 200);
		await eventually(() => expect(accepted()).toEqual(numbers(300)));
		expect(apps[0]!.accepted()).toHaveLength(had);
		expect(apps[1]!.accepted()).toHaveLength(300 - had);
		seen(`UNSUBSCRIBE before DISCONNECT; all 200 that came afterwards went to the other member`);
	},
	60_000,
);
