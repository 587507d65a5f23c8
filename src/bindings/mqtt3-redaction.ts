import { inspect } from "node:util";
import type { BrokerUrl } from "../mqtt/broker-url.js";
import { REDACTED } from "./metadata.js";
import type { Mqtt3Settings } from "./mqtt3-options.js";

/** Settings as they may be shown in logs and by the metadata API: no user name, password, key or certificate, no payload. */
export function redactedSettings(settings: Mqtt3Settings): Readonly<Record<string, unknown>> {
	const { brokers, tls, readTls: _, will, ...others } = settings;
	return {
		brokers: brokers.map(redactedBroker),
		...others,
		...(tls && { tls: redactedTls(tls) }),
		...(will && { will: { topic: will.topic, qos: will.qos, retain: will.retain, bytes: will.payload.length } }),
	};
}

/**
 * Makes settings show their redacted form, whole or in parts, when somebody logs them by mistake: by JSON.stringify, by
 * util.inspect. Copies made by spreading lose that. Returns the same object.
 */
export function concealSettings(settings: Mqtt3Settings): Mqtt3Settings {
	for (const broker of settings.brokers) conceal(broker, redactedBroker(broker));
	if (settings.tls) conceal(settings.tls, redactedTls(settings.tls));
	return conceal(settings, redactedSettings(settings));
}

/** The path's query may be a token. */
function redactedBroker({ href, username, password }: BrokerUrl): Readonly<Record<string, unknown>> {
	return {
		url: href,
		...(username !== undefined && { username: REDACTED }),
		...(password !== undefined && { password: REDACTED }),
	};
}

function redactedTls(tls: NonNullable<Mqtt3Settings["tls"]>): Readonly<Record<string, unknown>> {
	const { ca, cert, key, passphrase, ...others } = tls;
	return {
		...(ca !== undefined && { ca: "<PEM>" }),
		...(cert !== undefined && { cert: "<PEM>" }),
		...(key !== undefined && { key: REDACTED }),
		...(passphrase !== undefined && { passphrase: REDACTED }),
		...others,
	};
}

function conceal<Concealed extends object>(object: Concealed, shown: unknown): Concealed {
	const show = { value: () => shown };
	return Object.defineProperties(object, { toJSON: show, [inspect.custom]: show });
}
