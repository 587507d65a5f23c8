import { pbkdf2Sync, randomBytes } from "node:crypto";
import type { TempFolder } from "./temp-folder.js";

/** A listener's certificate, and whose clients it lets in; all PEM. */
export interface MosquittoTls {
	readonly cert: string;
	readonly key: string;
	/** With it, only clients that show a certificate of this authority are let in. */
	readonly clientCa?: string;
}

/** What of mosquitto's settings the tests vary; what is left out has mosquitto's own default. */
export interface MosquittoOptions {
	/** Keep sessions and retained messages in a file through restarts; default false. */
	readonly persistence?: boolean;
	/** Where that file is; default a temporary folder. */
	readonly persistenceFolder?: string;
	/** Seconds between two saves of that file; mosquitto's default 1800, 0 for at the end alone. */
	readonly autosaveInterval?: number;
	/** Count changes instead of seconds. */
	readonly autosaveOnChanges?: boolean;
	/** Messages of QoS 1 and 2 on their way to a client at once; mosquitto's default 20, 0 for no limit. */
	readonly maxInflightMessages?: number;
	/** Messages that wait for a client; default here 0, no limit, as mosquitto's 1,000 loses the rest. */
	readonly maxQueuedMessages?: number;
	/** Greatest payload in bytes. */
	readonly messageSizeLimit?: number;
	/** User name → password. With it nobody else is let in. */
	readonly users?: Readonly<Record<string, string>>;
	/** Text of an access control file. */
	readonly acl?: string;
	/** Listen for TLS as well. */
	readonly tls?: MosquittoTls;
	/** Listen for WebSocket as well. */
	readonly websocket?: boolean;
	/** More lines for the configuration, as they are. */
	readonly config?: readonly string[];
	/** Log each packet too; default false. */
	readonly logPackets?: boolean;
}

/** The ports of one mosquitto. */
export interface MosquittoPorts {
	readonly tcp: number;
	readonly tls?: number;
	readonly websocket?: number;
}

/** Writes what this mosquitto needs into the folder; resolves with the configuration's path. */
export async function writeMosquittoFiles(
	folder: TempFolder,
	ports: MosquittoPorts,
	options: MosquittoOptions,
): Promise<string> {
	const lines = [
		// As root it would become a user who cannot read the folder; as anybody else it ignores this.
		...(process.getuid?.() === 0 ? ["user root"] : []),
		"log_dest stderr",
		`log_type ${options.logPackets ? "all" : "error\nlog_type warning\nlog_type notice\nlog_type information"}`,
		`persistence ${options.persistence ?? false}`,
		`persistence_location ${options.persistenceFolder ?? folder.path}/`,
		`max_queued_messages ${options.maxQueuedMessages ?? 0}`,
		`allow_anonymous ${options.users === undefined}`,
		...setting("autosave_interval", options.autosaveInterval),
		...setting("autosave_on_changes", options.autosaveOnChanges),
		...setting("max_inflight_messages", options.maxInflightMessages),
		...setting("message_size_limit", options.messageSizeLimit),
		...(options.config ?? []),
	];
	if (options.users) lines.push(`password_file ${await folder.write("passwords", passwordFile(options.users))}`);
	if (options.acl !== undefined) lines.push(`acl_file ${await folder.write("acl", options.acl)}`);
	lines.push(`listener ${ports.tcp} 127.0.0.1`);
	if (ports.websocket !== undefined) lines.push(`listener ${ports.websocket} 127.0.0.1`, "protocol websockets");
	if (ports.tls !== undefined && options.tls) {
		lines.push(`listener ${ports.tls} 127.0.0.1`, ...(await tlsLines(folder, options.tls)));
	}
	return await folder.write("mosquitto.conf", `${lines.join("\n")}\n`);
}

async function tlsLines(folder: TempFolder, { cert, key, clientCa }: MosquittoTls): Promise<string[]> {
	return [
		`certfile ${await folder.write("server.crt", cert)}`,
		`keyfile ${await folder.write("server.key", key)}`,
		...(clientCa === undefined
			? []
			: [`cafile ${await folder.write("client-ca.crt", clientCa)}`, "require_certificate true"]),
	];
}

function setting(name: string, value: number | boolean | undefined): string[] {
	return value === undefined ? [] : [`${name} ${value}`];
}

/** In the form that mosquitto_passwd writes: PBKDF2 with SHA-512, 101 rounds. */
function passwordFile(users: Readonly<Record<string, string>>): string {
	return Object.entries(users)
		.map(([name, password]) => {
			const salt = randomBytes(12);
			const hash = pbkdf2Sync(password, salt, 101, 64, "sha512");
			return `${name}:$7$101$${salt.toString("base64")}$${hash.toString("base64")}\n`;
		})
		.join("");
}
