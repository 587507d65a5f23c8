import { ConfigurationError, NotFoundError } from "../errors.js";
import type { MqttClient } from "../mqtt/client.js";
import { checkTopicName } from "../mqtt/topic.js";
import type { Cancellation, InvokeRequest, Properties } from "./binding.js";
import { parseValue } from "./field-value.js";
import { MQTT3_FIELDS } from "./mqtt3-fields.js";
import type { Mqtt3Settings } from "./mqtt3-options.js";
import { encodePayload } from "./payload-encoding.js";
import { quote } from "./quote.js";

/** The operations of this output binding. */
export const OPERATIONS: readonly string[] = Object.freeze(["create"]);

const REQUEST_FIELDS = ["topic", "retain", "qos", "encoding"] as const;
type RequestFields = Partial<Record<(typeof REQUEST_FIELDS)[number], string>>;

/** From request to PUBLISH: checks everything before the connection is touched. */
export class Mqtt3Output {
	readonly #name: string;
	readonly #settings: Mqtt3Settings;
	readonly #client: MqttClient;
	/** Why the component's own topic can't be published to. */
	readonly #defaultTopicProblem: string | undefined;

	constructor(name: string, settings: Mqtt3Settings, client: MqttClient) {
		this.#name = name;
		this.#settings = settings;
		this.#client = client;
		this.#defaultTopicProblem = publishTopicProblem(settings.topic);
	}

	/**
	 * Publishes one message, within the request's deadline and `publishTimeout`, whichever is first. Resolves when the broker has acknowledged it (QoS 0: when it was written). Rejects with NotFoundError for an
	 * operation other than `create`, ConfigurationError for bad request metadata, PublishError otherwise.
	 */
	async invoke(
		{ operation, data, dataIsJson, metadata, timeoutMs }: InvokeRequest,
		signal?: Cancellation,
	): Promise<void> {
		if (operation !== "create") {
			throw new NotFoundError(
				`binding ${this.#name} does not support operation ${operation}. supported operations:${OPERATIONS.join(" ")}`,
				{ kind: "operation", missing: operation },
			);
		}
		const fields = requestFields(metadata);
		await this.#client.publish(
			{
				topic: this.#topic(fields.topic),
				qos: this.#field("qos", fields.qos),
				retain: this.#field("retain", fields.retain),
				payload: this.#payload(data, dataIsJson ?? false, fields.encoding),
			},
			{ signal, timeoutMs: timeoutMs === undefined ? undefined : Math.min(timeoutMs, this.#settings.publishTimeoutMs) },
		);
	}

	#topic(requested: string | undefined): string {
		// As in daprd an empty one means the component's own.
		if (requested === undefined || requested === "") {
			if (this.#defaultTopicProblem === undefined) return this.#settings.topic;
			throw this.#bad(
				"topic",
				`the component's topic ${quote(this.#settings.topic)} can't be published to (${this.#defaultTopicProblem}): name one in the request's metadata`,
			);
		}
		const problem = publishTopicProblem(requested);
		if (problem === undefined) return requested;
		throw this.#bad("topic", `topic ${quote(requested)}: ${problem}`);
	}

	#payload(data: Uint8Array, isJson: boolean, requested: string | undefined): Uint8Array {
		if (!isJson) {
			if (requested === undefined) return data;
			throw this.#bad("encoding", "encoding is for JSON data only: here bytes are sent as they are");
		}
		const encoding = this.#field("encoding", requested);
		const result = encodePayload(data, encoding);
		if (typeof result === "string") throw this.#bad("encoding", `encoding ${encoding}: ${result}`);
		return result;
	}

	/** What the request says of a field that the component has as well; the component's own value when it says nothing. */
	#field<K extends "qos" | "retain" | "encoding">(name: K, requested: string | undefined): Mqtt3Settings[K] {
		if (requested === undefined || requested === "") return this.#settings[name];
		const reading = parseValue(MQTT3_FIELDS[name], requested);
		if ("reason" in reading) throw this.#bad(name, `${name}: ${reading.reason}`);
		return reading.value as Mqtt3Settings[K];
	}

	#bad(property: string, message: string): ConfigurationError {
		return new ConfigurationError(message, { component: this.#name, property });
	}
}

/** Why a topic can't be published to; undefined when it can. */
export function publishTopicProblem(topic: string): string | undefined {
	if (topic.startsWith("$SYS/") || topic === "$SYS") return "$SYS belongs to the broker";
	if (topic.startsWith("$share/")) return "$share is for subscriptions";
	return checkTopicName(topic);
}

/** The fields that concern a publish; names are compared without regard to case, an exact one wins. */
function requestFields(metadata: Properties): RequestFields {
	const fields: RequestFields = {};
	for (const key in metadata) {
		if (!Object.hasOwn(metadata, key)) continue;
		const name =
			REQUEST_FIELDS.find((field) => field === key) ?? REQUEST_FIELDS.find((field) => field === key.toLowerCase());
		if (name !== undefined && (name === key || fields[name] === undefined)) fields[name] = metadata[key]!;
	}
	return fields;
}
