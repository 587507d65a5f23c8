import { isUtf8 } from "node:buffer";
import { BinaryReader } from "@bufbuild/protobuf/wire";

/** Stands in place of a message that can't be read. */
export class MalformedMessage {
	/** For people. */
	readonly reason: string;

	constructor(reason: string) {
		this.reason = reason;
	}
}

/** What reads a kind of message, as ts-proto makes it. */
export interface MessageType<T> {
	decode(reader: BinaryReader): T;
}

/**
 * Makes a deserializer that never throws: what is wrong with a message goes to the method, which can say so, where grpc-js answers INTERNAL
 * and nothing more. `what`: how such a message is called, with its article.
 */
export function messageReader<T>(type: MessageType<T>, what: string): (bytes: Buffer) => T | MalformedMessage {
	return (bytes) => {
		try {
			return type.decode(new BinaryReader(bytes, readText));
		} catch (error) {
			return error instanceof MalformedMessage ? error : new MalformedMessage(`the message is not ${what}`);
		}
	};
}

/** Protobuf's strings are UTF-8: a reader that puts U+FFFD in place of what is not would publish to another topic than was asked for. */
function readText(bytes: Uint8Array): string {
	if (!isUtf8(bytes)) throw new MalformedMessage("a text in the message is not UTF-8");
	return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}
