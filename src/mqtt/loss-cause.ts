import { MqttConnectionError, type MqttConnectionReason, MqttProtocolError, MqttRefusedError } from "../errors.js";

/** Why nothing is connected, in a few fixed words. `connack-N`: the broker refused CONNECT with return code N. `other`: none of the rest. */
export type LossCause = MqttConnectionReason | `connack-${number}` | "other";

/** How often each LossCause was met. */
export type LossCounts = Readonly<Record<string, number>>;

/** The word for an attempt that failed or a connection that ended. */
export function lossCause(error: Error): LossCause {
	if (error instanceof MqttRefusedError) return `connack-${error.returnCode}`;
	if (error instanceof MqttConnectionError) return error.reason;
	return error instanceof MqttProtocolError ? "protocol" : "other";
}
