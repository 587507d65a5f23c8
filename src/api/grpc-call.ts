/** One gRPC call, for the log. */
export interface GrpcCall {
	/** `/dapr.proto.runtime.v1.Dapr/InvokeBinding`. */
	readonly method: string;
	/** The name of its status: `OK`. */
	readonly code: string;
	readonly elapsedMs: number;
}
