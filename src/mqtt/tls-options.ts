import { isIP } from "node:net";
import { checkServerIdentity, type ConnectionOptions as NodeTlsOptions } from "node:tls";
import type { TlsSettings } from "./connection.js";

/** Our settings as `tls.connect` takes them. Without settings the system's roots are trusted and everything is checked. */
export function tlsOptions(host: string, settings: TlsSettings = { insecureSkipVerify: false }): NodeTlsOptions {
	const name = settings.serverName ?? host;
	return {
		// Set here, as `--tls-min-v1.0` and NODE_TLS_REJECT_UNAUTHORIZED change Node's defaults.
		minVersion: "TLSv1.2",
		rejectUnauthorized: !settings.insecureSkipVerify,
		// SNI carries no IP addresses (RFC 6066), and Node would then check the certificate for another name.
		...(isIP(name) === 0 ? { servername: name } : {}),
		checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate),
		...given({ ca: settings.ca, cert: settings.cert, key: settings.key, passphrase: settings.passphrase }),
		...(settings.alpn === undefined ? {} : { ALPNProtocols: [...settings.alpn] }),
	};
}

// An `undefined` among the options is not to Node what an absent one is.
function given(options: Record<string, string | undefined>): NodeTlsOptions {
	return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
