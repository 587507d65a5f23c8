import { createRequire } from "node:module";
import type { buildConnector as BuildConnector, Client as UndiciClient } from "undici";

const require = createRequire(import.meta.url);

/**
 * undici's HTTP/1.1 client for one connection. Taken from its own file, because undici's index loads fetch, WebSocket and caches as
 * well, which cost a third of the time to start and 10 MB. The version of undici is pinned.
 */
export const Client: typeof UndiciClient = require("undici/lib/dispatcher/client.js");
export type Client = UndiciClient;

/** undici's way of making sockets, which Client takes as its `connect` option. */
export const buildConnector: typeof BuildConnector = require("undici/lib/core/connect.js");
