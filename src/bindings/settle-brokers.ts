import { ConfigurationError } from "../errors.js";
import { type BrokerUrl, parseBrokerUrl, splitBrokerUrls } from "../mqtt/broker-url.js";
import type { Draft } from "./mqtt3-settings.js";
import type { Problems } from "./problems.js";

/** The brokers of `url`, each with its user name and password, from there or from the fields of that name. Undefined when something is wrong. */
export function settleBrokers(draft: Draft, problems: Problems): readonly BrokerUrl[] | undefined {
	const brokers = parse(draft.url, problems);
	if (brokers === undefined) return undefined;
	const known = new Set<string>();
	for (const { href } of brokers) {
		if (known.has(href)) problems.add("url", `names ${href} twice`);
		known.add(href);
	}
	for (const broker of brokers) {
		for (const name of ["username", "password"] as const) {
			if (draft[name] === undefined || broker[name] === undefined || draft[name] === broker[name]) continue;
			if (!problems.concerns(name)) problems.add(name, "differs from the one in url: give it once");
		}
		checkPassword(draft, broker, problems);
	}
	return brokers.map((broker) => {
		const { username = draft.username, password = draft.password } = broker;
		return {
			...broker,
			...(username !== undefined && { username }),
			...(password !== undefined && { password }),
		};
	});
}

function parse(url: string | undefined, problems: Problems): readonly BrokerUrl[] | undefined {
	if (url === undefined) {
		problems.addMissing("url");
		return undefined;
	}
	try {
		return splitBrokerUrls(url).map(parseBrokerUrl);
	} catch (error) {
		if (!(error instanceof ConfigurationError)) throw error;
		problems.add("url", error.message.replace(/^url /, ""));
		return undefined;
	}
}

function checkPassword(draft: Draft, broker: BrokerUrl, problems: Problems): void {
	const password = draft.password ?? broker.password;
	const username = draft.username ?? broker.username;
	if (password === undefined || username || problems.concerns("username")) return;
	const field = draft.password === undefined ? "url" : "password";
	if (!problems.concerns(field)) problems.add(field, "a password needs a user name [MQTT-3.1.2-22]");
}
