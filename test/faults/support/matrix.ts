/** One row of the fault matrix, or one of the scenarios. */
export interface MatrixRow {
	/** `F-` and two digits for a fault, `S-` and one or two for a scenario. */
	readonly id: string;
	readonly fault: string;
	readonly expected: string;
	/** Why no test plays it yet, or which part of it none plays yet if `partly` is set. */
	readonly later?: string;
	/** Why it can't be played at all, or which part of it can't if `partly` is set. */
	readonly notApplicable?: string;
	/** The rest of the row is played. */
	readonly partly?: true;
}

/** Whether some passing test must play it. */
export function mustBePlayed({ later, notApplicable, partly }: MatrixRow): boolean {
	return partly === true || (later === undefined && notApplicable === undefined);
}

type Cells = readonly [fault: string, expected: string, apart?: Pick<MatrixRow, "later" | "notApplicable" | "partly">];

/** The faults, F-01 first. */
const FAULTS: readonly Cells[] = [
	["broker absent at start", "create says not sent; not ready; connects once the broker is there, one client only"],
	["broker stopped and started, data kept", "session resumed, nothing lost"],
	["broker started again without its data", "session lost is said; subscribed again"],
	["broker killed", "nothing lost of what it had saved"],
	["broker frozen", "noticed within 1.5 keep-alives; create unknown; recovers without a storm of duplicates"],
	["silent partition", "noticed in time; new connection, old socket destroyed"],
	["resets under load", "nothing lost, duplicates bounded"],
	["FIN one way", "taken as closed at once"],
	["partition during our PUBACKs", "redelivered; no more duplicates than were in flight"],
	["slow, narrow link in single bytes", "works; no time-out shorter than configured"],
	[
		"flipped bits in header, length, identifier, topic",
		"closed and connected again; no corrupted identifier acknowledged",
	],
	["DNS: no such name, first address dead, address changed", "resolved at each attempt, all addresses tried, back-off"],
	["CONNACK never or late", "connect time-out, back-off; the late one ignored"],
	["CONNACK 1, 2, 4, 5", "not ready, slow back-off, socket closed by us, never gives up"],
	["CONNACK 3 for a while, then 0", "normal back-off, recovers"],
	["first packet no CONNACK; two; Session Present where there is none", "closed"],
	["500 instances, broker restarted", "attempts spread over the jitter window"],
	["client identifier taken over, once and again and again", "once: reconnects; again: said, growing back-off"],
	["two of our processes with one consumerID", "as above, and the cause is named"],
	["10,000 connects and disconnects", "descriptors, timers, listeners and memory flat"],
	["no PUBACK at all", "outcome unknown at the deadline"],
	[
		"connection lost before the PUBACK, back within the deadline",
		"sent again, same identifier, DUP; success on PUBACK alone",
	],
	["connection lost before the PUBACK, back after the deadline", "outcome unknown; not sent again"],
	["PUBACK unknown, twice, or of the connection before", "ignored; completes no other call"],
	["PUBREC for QoS 1, PUBACK with flags or of length 3", "closed; the call is retried or unknown"],
	["PUBACKs out of order for 1,000 calls", "each call completes with its own"],
	["PUBACK before the write's callback", "success once"],
	["65,535 identifiers in flight, wrap-around", "no identifier used twice; the next waits or is refused"],
	["broker stops reading, 10,000 creates", "bounded queue, then refused; memory bounded"],
	["caller leaves mid-call", "slot freed; unsent: not sent; sent: completes silently"],
	["payload beyond the broker's limit", "that call fails; others and the input go on; not sent for ever"],
	["bad topics", "400 each; connection untouched"],
	["ACL refuses the publish", "success means acknowledged; closed: unknown, no loop on one message"],
	["app down", "intake pauses, nothing acknowledged, resumes, backlog delivered"],
	["app slower than the keep-alive", "connection stable, acknowledged when done"],
	["app hangs or trickles", "passed over after 10 s, visible; with handlerTimeout a failed attempt"],
	[
		"app dies of each message",
		"attempts counted, nothing of the others lost",
		{ later: "the circuit breaker: with Dapr's resiliency", partly: true },
	],
	["answers of all kinds", "only a complete 2xx is a success; Retry-After honoured"],
	["2xx with a slow body", "acknowledged only when complete"],
	["completion out of order", "PUBACKs in order of arrival"],
	["poison message, drop", "acknowledged once, counted and said; others flow"],
	["poison message, deadLetter, and its publish fails", "acknowledged only after the dead letter's PUBACK; else held"],
	["poison message, hold", "held, tried again, connection kept; accepted when the app recovers"],
	["in-flight window used up", "no wedge once the app recovers; create works meanwhile"],
	["server certificate expired or not yet valid", "refused, reason named, slow back-off"],
	["wrong host name, wrong CA, self-signed", "refused"],
	["client certificate expires, replaced on disk", "connection kept; the next handshake uses the new one"],
	["old TLS, handshake stalls, plain on TLS and TLS on plain", "time-out at most 10 s, clear error"],
	["CA no PEM, key and certificate differ, encrypted key", "Init error, exit code, no connection attempt"],
	["TLS record cut", "closed, connected again"],
	["PUBLISH of 256 MB dribbled; length of 5 bytes", "the first skipped without memory; the second closes"],
	["payload beyond maxPayloadSize", "skipped; hold or drop as configured"],
	["at least 300 ill-formed packets", "closed or not exactly as expected; next connection clean"],
	["SUBACK 0x80, 0, wrong identifier, two codes, never", "0x80 and 0: not ready, asked again; others close"],
	["PUBLISH before SUBACK and before SUBSCRIBE", "delivered and acknowledged"],
	["odd topics and payloads", "the app gets the exact bytes"],
	["10,000 retained messages, then 20 reconnects", "memory bounded; no SUBSCRIBE after the first hour; order kept"],
	["session with messages of an old filter", "delivered with a warning, or acknowledged and counted by unsubscribe"],
	["resend on a live connection, then the identifier reused", "app called once, one PUBACK; reuse is a new message"],
	["QoS 2 or 0 though 1 was asked", "QoS 2 handshake right; QoS 0 delivered and counted"],
	["browser posts to create", "403"],
	["DNS rebinding", "refused on every route"],
	["slowloris, header bomb, endless chunks, pipelining", "limits hold; MQTT unaffected"],
	["stale or squatting socket file", "refused with the reason; made again when it is removed"],
	["daprd killed with messages in flight", "no verdict; resumes"],
	["daprd calls Init or Read twice", "one owner"],
	["component killed under daprd", "said; output works again"],
	["daprd closes its window", "no verdict"],
	["acknowledgement of an unknown message from daprd", "ignored"],
	["kill -9 at crash points, cycle after cycle", "nothing lost, duplicates at most what was in flight"],
	["SIGTERM under load, twice, before the first connect", "finished ones acknowledged, exit in time, none comes back"],
	["suspended, then resumed", "no stale acknowledgement; reconnects"],
	["wall clock jumps", "timers are monotonic"],
	["event loop blocked", "recovers; lag is measured"],
	["disk full", "broker's loss classified; ours: no crash"],
	["out of file descriptors", "back-off, no spin, recovers"],
	["heap of 64 MB, messages of 1 MiB", "bounded, or an exit without a false acknowledgement"],
	["stdout closed or blocked", "no crash, MQTT goes on"],
	["password rotated", "the new one at the next connect"],
	["rolling upgrade: old and new share a session", "one takeover, nothing lost"],
	["everything at random", "all invariants"],
	["broker closes on a PUBACK out of order", "strict after the second time; no loop"],
	["CONNACK of a new session lost", "subscribed all the same"],
	["killed between CONNECT and SUBACK", "subscribed at the next start"],
	["app dies with 256 in hand", "handed over again on the same connection"],
	["handler waits for a message of its own input; creates while the socket is paused", "no deadlock"],
	["20 messages of 4 MiB; QoS 0 fills its quarter", "bounded"],
	["two brokers without shared sessions", "nothing acknowledged unseen"],
	["link flaps faster than retries", "attempts survive; one retry loop; dead letter once"],
	["QoS 2 outbound: crowds, callers that leave, crashes, lost session", "one handshake at a time; create never lies"],
	["the only member of a group redeployed", "nothing lost"],
	["graceful stop with unread bytes", "no acknowledged message returns"],
	["broker back with a session without our subscription", "subscribed again"],
	["an oversized one held, then traffic; identifiers reused", "acknowledgements flow, nothing lost"],
	["a dead letter comes back and is refused", "held; no loop, no growth"],
];

/** The scenarios, S-1 first. */
const SCENARIOS: readonly Cells[] = [
	["kill -9 before, during and after the app's answer", "no loss; after the answer: one more delivery, marked"],
	["connection drops while the app works; identifier reused meanwhile", "old acknowledgement discarded"],
	["the same, the broker redelivers the same message", "app called once; the new delivery acknowledged"],
	["reconnect without session while handlers run", "a new message is new; the old result sends nothing"],
	["resends every second on one connection", "app called once; one PUBACK"],
	["25 poison messages, then good ones, window 20", "drop and deadLetter flow; hold says stalled"],
	["dead letter refused", "original un-acknowledged, retried, said"],
	["handler blocks, short keep-alive, backlog", "connection stays; memory flat"],
	["backlog between CONNACK and SUBACK", "all handled"],
	["SUBACK 0x80 at first; ACL fixed later", "not ready; ready by itself"],
	["SUBACK 0x80 at the second subscribe only", "the same"],
	["SUBACK never, wrong, or granted 0", "reconnect or not ready"],
	["broker restart without persistence", "subscribed again; session lost said"],
	["black hole for three keep-alives", "detected; nothing lost; publishes by their deadline"],
	["PUBACK of our publish lost", "sent again with DUP; one answer"],
	["create while disconnected, broker back after the deadline", "error at the deadline; not published later"],
	["70,000 publishes, none acknowledged", "bounded; no identifier used twice"],
	["two instances with one client identifier", "detected; attempts bounded; nothing lost"],
	["token expired for an hour, provider has a new one", "recovers"],
	["client certificate rotated on disk", "new one at the next connect"],
	["hot reload changes the topic", "old filter given up"],
	["app health flips under load, through daprd", "no attempt counted"],
	["component restarts under a running daprd", "output works again"],
	["stale socket file", "replaced"],
	["two daprds on one socket", "the second refused"],
	["both directions, Init order, Init twice", "one connection"],
	["SIGTERM with 50 handlers, half finish", "finished ones acknowledged, others redelivered"],
	["app not listening, retries 3", "no attempt consumed"],
	["answers of all kinds", "only a complete 2xx acknowledges"],
	["A1 fails three times; A2, A3, B1.. follow", "A2 waits; B flows; order on the wire"],
	["handlers finish 5, 4, 3, 2, 1", "PUBACKs 1, 2, 3, 4, 5; a failed one may come later"],
	["shared group of three; one killed, stopped, cut off", "as the table of brokers says; no second acknowledgement"],
	["overlapping filters, odd topics", "right topic, safe headers"],
	["malformed packets of all sorts", "closed with the reason; bounded; alive"],
	["QoS 0 flood into a slow app", "bounded; QoS 1 lossless"],
	[
		"retained message, 20 reconnects",
		"delivered as configured, always acknowledged",
		{ notApplicable: "retain handling is MQTT 5", partly: true },
	],
	[
		"publish that the ACL denies",
		"no storm; the suspect is given up",
		{ notApplicable: "reason codes are MQTT 5", partly: true },
	],
	["a stored publish that the broker answers by closing", "given up after the third connection"],
	["handler publishes and waits, window 1", "no deadlock"],
	["dead address, dead URLs", "time-out per address, next URL"],
	["clock jump and suspend", "monotonic; reconnects at once"],
	["TLS configuration of all kinds", "precise message each"],
	["URLs of all kinds", "read right or refused precisely; no secret logged"],
	["data of all kinds through the HTTP API", "bytes as documented"],
	["PUBACKs out of order, twice, unknown; PUBREC for QoS 1", "tolerated or clean reconnect"],
	["soak with everything at random", "no number missing; duplicates only around cuts; gauges return to 0"],
	["event loop blocked 15 s", "reconnects; no stale acknowledgement"],
	[
		"DISCONNECT with a reason from the broker",
		"right back-off",
		{ notApplicable: "a broker sends no DISCONNECT in MQTT 3.1.1" },
	],
	["disk full, folder read-only", "clear message; serves"],
	["empty secret, unresolved placeholder", "Init error that names the field"],
	["broker down at start, 20 creates fail, broker comes up", "one connection, subscribed, no late copy"],
	["handler fails 20 times, then a healthy message", "never silent"],
	["packets parsed and not dispatched when the socket drops", "dropped with their connection"],
	["success exactly while the socket is half closed", "never assumed acknowledged"],
];

function rows(prefix: string, digits: number, cells: readonly Cells[]): MatrixRow[] {
	return cells.map(([fault, expected, apart], index) => ({
		id: `${prefix}${String(index + 1).padStart(digits, "0")}`,
		fault,
		expected,
		...apart,
	}));
}

/** All rows: the faults F-01 to F-95, then the scenarios S-1 to S-54. */
export const matrix: readonly MatrixRow[] = [...rows("F-", 2, FAULTS), ...rows("S-", 1, SCENARIOS)];
