import { ActorRuntime_ActorRuntimeStatus, type GetMetadataResponse } from "../gen/dapr/proto/runtime/v1/dapr.js";
import type { MetadataDocument } from "./metadata-document.js";

/** The metadata document as gRPC's message. */
export function metadataMessage(document: MetadataDocument): GetMetadataResponse {
	const { id, runtimeVersion, components = [], extended, appConnectionProperties: app, actorRuntime } = document;
	return {
		id,
		runtimeVersion,
		registeredComponents: components.map(({ name, type, version, capabilities }) => ({
			name,
			type,
			version,
			capabilities: [...capabilities],
		})),
		extendedMetadata: { ...extended },
		appConnectionProperties: app && {
			port: app.port,
			protocol: app.protocol,
			channelAddress: app.channelAddress,
			maxConcurrency: app.maxConcurrency ?? 0,
			health: app.health && { ...app.health },
		},
		enabledFeatures: [],
		actorRuntime: {
			runtimeStatus: ActorRuntime_ActorRuntimeStatus[actorRuntime.runtimeStatus],
			hostReady: actorRuntime.hostReady,
			placement: "",
		},
	};
}
