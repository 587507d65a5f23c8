import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import type { Client } from "@grpc/grpc-js";
import { metadataOf } from "./grpc-caller.js";

/** Asks a server which services it has, as `grpc.reflection.<version>.ServerReflection` tells. Rejects with the status otherwise. */
export function listServices(
	client: Client,
	version: "v1" | "v1alpha",
	headers: Readonly<Record<string, string>> = {},
): Promise<readonly string[]> {
	// ServerReflectionRequest{list_services=7}
	const request = Buffer.from(new BinaryWriter().uint32(58).string("*").finish());
	const asItIs = (bytes: Buffer) => bytes;
	const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
	const call = client.makeBidiStreamRequest(path, asItIs, asItIs, metadataOf(headers));
	return new Promise((resolve, reject) => {
		call.on("error", reject);
		call.on("data", (bytes: Buffer) => {
			// ServerReflectionResponse{list_services_response=6{service=1{name=1}}}
			resolve(membersIn(bytes, 6).flatMap((list) => membersIn(list, 1).flatMap(nameOf)));
			call.end();
		});
		call.write(request);
	});
}

function nameOf(service: Uint8Array): readonly string[] {
	return membersIn(service, 1).map((bytes) => Buffer.from(bytes).toString());
}

/** The length-delimited members of a message that have this number. */
function membersIn(message: Uint8Array, number: number): readonly Uint8Array[] {
	const reader = new BinaryReader(message);
	const found: Uint8Array[] = [];
	while (reader.pos < reader.len) {
		const [field, wireType] = reader.tag();
		if (field === number) found.push(reader.bytes());
		else reader.skip(wireType);
	}
	return found;
}
