/** A broker's address, taken apart. User name and password are kept away from `href`. */
export interface BrokerUrl {
	readonly transport: "tcp" | "tls" | "ws" | "wss";
	/** Host name or IP address; an IPv6 literal without its brackets. */
	readonly host: string;
	readonly port: number;
	/** For `ws` and `wss`: path and query, at least `/`. Empty for the others. */
	readonly path: string;
	/** Percent-decoded. */
	readonly username?: string | undefined;
	/** Percent-decoded. */
	readonly password?: string | undefined;
	/** Normal form without user name and password, for messages and for comparing brokers: `tcp://host:1883`. */
	readonly href: string;
}
