export type {
	Binding,
	BrokerConnection,
	Component,
	ComponentMetadata,
	HealthReason,
	InputBinding,
	InvokeRequest,
	InvokeResponse,
	OutputBinding,
	Properties,
	ReadHandler,
	ReadResponse,
	Report,
	Verdict,
} from "./bindings/binding.js";
export { ACCEPTED } from "./bindings/binding.js";
export type { Message, MessageDelivery } from "./bindings/message.js";
export { Mqtt3Binding } from "./bindings/mqtt3-binding.js";
export { type Mqtt3Options, type Mqtt3Settings, resolveOptions } from "./bindings/mqtt3-options.js";
export {
	type CreateRequest,
	createBinding,
	type MessageHandler,
	TypedBinding,
} from "./bindings/typed-binding.js";
export * from "./errors.js";
export {
	type ApplicationMessage,
	type BrokerUrl,
	type ClientState,
	type ClientStatus,
	Delivery,
	type DeliveryListener,
	MqttClient,
	type MqttClientOptions,
	type PublishOptions,
	parseBrokerUrl,
	type QoS,
	type Subscription,
	type TlsSettings,
	type Will,
} from "./mqtt/index.js";
