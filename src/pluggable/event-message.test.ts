import fc from "fast-check";
import { expect, test } from "vitest";
import { ReadResponse } from "../gen/dapr/proto/components/v1/bindings.js";
import { MessageBatch } from "../grpc/message-batch.js";
import { EventHeads, EventMessage } from "./event-message.js";

/** What grpc-js puts on the wire of a batch. */
function sent(batch: MessageBatch): Buffer {
	const output = Buffer.alloc(batch.byteLength + 5, 0xff);
	output.writeUInt8(0, 0);
	output.writeUInt32BE(batch.byteLength, 1);
	batch.copy(output);
	return output;
}

/** The messages in what came, each behind its head. */
function messages(bytes: Buffer): Buffer[] {
	const found: Buffer[] = [];
	for (let at = 0; at < bytes.length; ) {
		expect(bytes[at]).toBe(0);
		const length = bytes.readUInt32BE(at + 1);
		found.push(bytes.subarray(at + 5, at + 5 + length));
		at += 5 + length;
	}
	return found;
}

const event = fc.record({
	data: fc.uint8Array({ maxLength: 400 }),
	metadata: fc.dictionary(
		fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }),
		fc.string({ unit: "grapheme" }),
	),
	contentType: fc.constantFrom("", "application/json", "text/plain; charset=utf-8", "äöü"),
});

test("a batch of events is what a generated decoder reads, one message behind the other", () => {
	fc.assert(
		fc.property(fc.array(event, { minLength: 1, maxLength: 8 }), (events) => {
			const heads = new EventHeads();
			const batch = new MessageBatch();
			for (const [index, one] of events.entries()) batch.add(new EventMessage(one, String(index), heads));
			const read = messages(sent(batch)).map((bytes) => ReadResponse.decode(bytes));
			const expected = events.map((one, index) => ({ ...one, data: Buffer.from(one.data), messageId: String(index) }));
			expect(read.map((one) => ({ ...one, data: Buffer.from(one.data) }))).toEqual(expected);
		}),
	);
});

test.each([127, 128, 16_383, 16_384, 2_097_151, 2_097_152])("data of %d bytes: the length as a varint", (length) => {
	const batch = new MessageBatch();
	const data = Buffer.alloc(length, 7);
	const message = new EventMessage({ data, metadata: { topic: "a" }, contentType: "x" }, "12", new EventHeads());
	batch.add(message);
	const [bytes, ...others] = messages(sent(batch));
	expect(others).toEqual([]);
	expect(bytes).toHaveLength(message.size);
	const { data: read, ...rest } = ReadResponse.decode(bytes!);
	expect(data.equals(read)).toBe(true);
	expect(rest).toEqual({ metadata: { topic: "a" }, contentType: "x", messageId: "12" });
});

test("frozen metadata is kept ready, metadata that may change is not", () => {
	const heads = new EventHeads();
	const topicOf = (metadata: Record<string, string>) => {
		const batch = new MessageBatch();
		batch.add(new EventMessage({ data: Buffer.of(1), metadata, contentType: "x" }, "1", heads));
		return ReadResponse.decode(messages(sent(batch))[0]!).metadata.topic;
	};
	const frozen = Object.freeze({ topic: "a" });
	expect([topicOf(frozen), topicOf(frozen)]).toEqual(["a", "a"]);
	const open = { topic: "b" };
	expect(topicOf(open)).toBe("b");
	open.topic = "c";
	expect(topicOf(open)).toBe("c");
});
