import { CONNECTION_FIELDS } from "./mqtt3-connection-fields.js";
import { DELIVERY_FIELDS } from "./mqtt3-delivery-fields.js";
import { SPECIFIED_FIELDS } from "./mqtt3-specified-fields.js";

/** Every metadata field of `bindings.mqtt3`: the one table behind parser, defaults, redaction and documentation. */
export const MQTT3_FIELDS = { ...SPECIFIED_FIELDS, ...CONNECTION_FIELDS, ...DELIVERY_FIELDS } as const;
