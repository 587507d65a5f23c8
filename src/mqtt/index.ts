export { type BrokerUrl, parseBrokerUrl } from "./broker-url.js";
export { MqttClient, type MqttClientOptions, type PublishOptions } from "./client.js";
export type { ClientState, ClientStatus } from "./client-status.js";
export type { TlsSettings } from "./connection.js";
export { Delivery } from "./delivery.js";
export type { DeliveryListener } from "./inbound.js";
export type { ApplicationMessage, QoS, Subscription, Will } from "./packet.js";
