import { expect, onTestFinished, test } from "vitest";
import { startBroker } from "../../../src/broker/broker.js";
import { startComponent } from "../../support/component-process.js";
import { Daprd } from "../../support/daprd.js";
import { eventually } from "../../support/eventually.js";

const texts = (daprd: Daprd) => daprd.events.map(({ data }) => data.toString());

/** daprd's side of one component, which reads a topic of its own. */
async function plug(socket: string, url: string, component: string): Promise<Daprd> {
	const properties = { url, topic: `${component}/in`, consumerID: component };
	const daprd = await Daprd.start({ socket, component, properties });
	onTestFinished(() => daprd[Symbol.asyncDispose]());
	await daprd.ping("input");
	return daprd;
}

test("thirty components of three daprds in one process: each gets its own and publishes, and the end of one daprd is no other's", async () => {
	await using broker = await startBroker();
	await using component = await startComponent({ names: ["mqtt3", "mqtt"] });
	const sockets = [component.socket, component.socket.replace("mqtt3.sock", "mqtt.sock"), component.socket];
	const daprds: Daprd[][] = [];
	for (const [app, socket] of sockets.entries()) {
		const names = Array.from({ length: 10 }, (_, index) => `app${app}-c${index}`);
		const plugged = await Promise.all(names.map((name) => plug(socket, broker.url, name)));
		daprds.push(plugged);
	}
	expect(broker.clients).toHaveLength(30);
	// Each publishes to the next one's topic.
	const all = daprds.flat();
	const topicOf = (index: number) => `app${Math.floor(index / 10) % 3}-c${index % 10}/in`;
	await Promise.all(
		all.map((daprd, index) =>
			daprd.invoke({ data: Buffer.from(String(index)), metadata: { topic: topicOf(index + 1) } }),
		),
	);
	await eventually(() => expect(all.map(texts)).toEqual(all.map((_, index) => [String((index + 29) % 30)])));

	for (const daprd of daprds[1]!) daprd.kill();
	await eventually(() => expect(daprds[1]!.some(({ isReading }) => isReading)).toBe(false));
	for (let index = 0; index < 30; index++) await broker.publish(topicOf(index), "after");
	const others = [...daprds[0]!, ...daprds[2]!];
	await eventually(() => expect(others.map((daprd) => texts(daprd).at(-1))).toEqual(others.map(() => "after")));
	expect(daprds[1]!.map((daprd) => texts(daprd).at(-1))).not.toContain("after");
	// They come back, as after a restart of that daprd, and get what waited.
	const again = await Promise.all(daprds[1]!.map((_, index) => plug(sockets[1]!, broker.url, `app1-c${index}`)));
	// The answers to the ones before may have gone with their daprd.
	await eventually(() => expect(again.map((daprd) => texts(daprd).at(-1))).toEqual(again.map(() => "after")));
	expect(broker.clients).toHaveLength(30);
});

test("two processes in two folders serve two daprds whose components have the same name", async () => {
	await using broker = await startBroker();
	await using one = await startComponent();
	await using other = await startComponent();
	const start = (socket: string, consumerID: string) =>
		Daprd.start({ socket, properties: { url: broker.url, topic: "in", consumerID } });
	await using first = await start(one.socket, "app-1");
	await using second = await start(other.socket, "app-2");
	await Promise.all([first.ping("input"), second.ping("input")]);
	await broker.publish("in", "a");
	await eventually(() => expect([texts(first), texts(second)]).toEqual([["a"], ["a"]]));
});
