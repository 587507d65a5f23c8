import type { Metadata } from "@grpc/grpc-js";
import type { Properties } from "../bindings/binding.js";
import { BareObject, checkMetadataCount, checkMetadataKey, checkMetadataValue } from "./request-metadata.js";

/**
 * The metadata of a request together with that of its call, as in Dapr: of a header the first value counts, and `grpc-` names get the
 * prefix `dapr-`. What the request itself says wins, in whatever case it is written. Throws MalformedRequestError for request metadata
 * that can't be meant.
 */
export function mergeMetadata(request: Properties, headers: Metadata, host: string): Properties {
	const merged = new BareObject();
	const said = new Set<string>();
	let count = 0;
	for (const key of Object.keys(request)) {
		checkMetadataCount(++count);
		checkMetadataKey(key);
		merged[key] = checkMetadataValue(key, request[key] ?? "");
		said.add(key.toLowerCase());
	}
	const add = (name: string, value: string): void => {
		if (!said.has(name)) merged[name] = value;
	};
	add("dapr-authority", host);
	for (const [name, value] of Object.entries(headers.getMap())) {
		add(name.startsWith("grpc-") ? `dapr-${name}` : name, typeof value === "string" ? value : value.toString("base64"));
	}
	return merged;
}
