import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { ConfigurationError } from "../errors.js";

/** Why a request that a web page may be behind is not answered. */
export interface BrowserRefusal {
	readonly status: 403 | 421;
	readonly text: string;
}

const SAFE_METHODS: ReadonlySet<string | undefined> = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Keeps web pages from using the API behind the developer's back. DNS rebinding needs a name in `Host`; a page of another
 * origin shows itself in `Origin` or `Sec-Fetch-Site`, which programs do not send.
 */
export class BrowserDefence {
	readonly #hosts: ReadonlySet<string>;
	readonly #origins: ReadonlySet<string>;
	readonly #hasToken: boolean;
	/** The last `Host` that was allowed: most callers send the same one again and again. */
	#lastHost: string | undefined;

	/** Throws ConfigurationError for what is no host name or no origin. `hasToken`: whether callers must show one. */
	constructor(hosts: readonly string[], origins: readonly string[], hasToken: boolean) {
		this.#hosts = new Set(["localhost", ...hosts.map(checkedHost)]);
		this.#origins = new Set(origins.map(checkedOrigin));
		this.#hasToken = hasToken;
	}

	/** Undefined when the request may go on. */
	check(request: IncomingMessage): BrowserRefusal | undefined {
		const { headers, method } = request;
		if (!this.#isOurHost(headers.host)) {
			return { status: 421, text: "host not allowed: use localhost or an IP address, or name it with --allowed-hosts" };
		}
		if (headers.origin === undefined && headers["sec-fetch-site"] === undefined) return undefined;
		if (!this.#isOurPage(headers)) {
			return { status: 403, text: "origin not allowed: name it with --allowed-origins" };
		}
		if (SAFE_METHODS.has(method)) return undefined;
		if (!isJson(headers["content-type"])) return { status: 403, text: "a web page must send application/json" };
		if (!this.#hasToken) return { status: 403, text: "a web page may write only where DAPR_API_TOKEN is set" };
		return undefined;
	}

	/** The request's origin if it is one of `--allowed-origins`: what its CORS headers name. */
	allowedOrigin(request: IncomingMessage): string | undefined {
		const { origin } = request.headers;
		return origin !== undefined && this.#origins.has(origin) ? origin : undefined;
	}

	#isOurHost(header: string | undefined): boolean {
		if (header === undefined) return false;
		if (header === this.#lastHost) return true;
		const host = header.replace(/:\d{1,5}$/, "");
		const isOurs = host.startsWith("[")
			? host.endsWith("]") && isIP(host.slice(1, -1)) === 6
			: isIP(host) === 4 || this.#hosts.has(host.toLowerCase());
		if (isOurs) this.#lastHost = header;
		return isOurs;
	}

	#isOurPage(headers: IncomingHttpHeaders): boolean {
		const { origin, host } = headers;
		if (origin !== undefined && this.#origins.has(origin)) return true;
		const site = headers["sec-fetch-site"];
		if (site !== undefined && site !== "same-origin" && site !== "none") return false;
		return origin === undefined || origin === `http://${host}`;
	}
}

function isJson(contentType: string | undefined): boolean {
	return contentType !== undefined && /^application\/json\s*(?:;|$)/i.test(contentType);
}

function checkedHost(host: string): string {
	if (!/^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/i.test(host)) {
		const message = `--allowed-hosts: "${host}" is no host name (expected a name without scheme and port)`;
		throw new ConfigurationError(message, { property: "allowed-hosts" });
	}
	return host.toLowerCase();
}

function checkedOrigin(origin: string): string {
	if (!/^[a-z][a-z0-9+.-]*:\/\/[^/\s*]+$/.test(origin)) {
		const message = `--allowed-origins: "${origin}" is no origin (expected such as https://example.org, without wildcard and path)`;
		throw new ConfigurationError(message, { property: "allowed-origins" });
	}
	return origin;
}
