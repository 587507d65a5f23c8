import type { AppVerdict } from "./app-channel.js";
import type { Exchange } from "./exchange.js";
import type { GrpcRequest } from "./grpc-call.js";

/** One call of an app over gRPC, and who waits for its verdict. */
export interface GrpcExchange extends Exchange, GrpcRequest {
	/** The component whose event it is. */
	readonly binding: string | undefined;
	/** The app said OK, with this message or none. */
	readonly onOk: (answer: Buffer | undefined) => AppVerdict;
}

/** `OnBindingEvent for "orders"`. */
export function describeGrpc({ path, binding }: GrpcExchange): string {
	const method = path.slice(path.lastIndexOf("/") + 1);
	return binding === undefined ? method : `${method} for ${JSON.stringify(binding)}`;
}
