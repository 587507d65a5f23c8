import type { IncomingMessage, ServerResponse } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { isLoopback } from "../sockets/listen-addresses.js";
import { invokeBinding } from "./binding-route.js";
import type { ConnectionSignals } from "./connection-signal.js";
import { answerError, answerJson, answerNoContent, answerText } from "./http-answer.js";
import { readBody } from "./request-body.js";
import type { RequestBudget } from "./request-budget.js";
import { checkMetadataKey } from "./request-metadata.js";
import { MAX_EXTENDED_BYTES, type Sidecar } from "./sidecar.js";
import { daprError, setMetadataError } from "./status.js";

/** What the routes work with. */
export interface RouteContext {
	readonly sidecar: Sidecar;
	readonly budget: RequestBudget;
	readonly signals: ConnectionSignals;
	/** Of `/v1.0/bindings/{name}`, in bytes. */
	readonly maxBodySize: number;
	/** Who gets as far as a route that needs a token has shown it, or could open our socket file. */
	readonly trustsCallers: boolean;
	/** True when the caller could not show the token that is set, and the route needs none. */
	readonly isAnonymous: (request: IncomingMessage) => boolean;
	/** Told of what nobody foresaw. */
	readonly onError: (error: unknown) => void;
}

type Route = (context: RouteContext, request: IncomingMessage, response: ServerResponse, name: string) => unknown;

/** Adds every route of the API, and the answer to all other requests. */
export function addRoutes(app: FastifyInstance, context: RouteContext): void {
	// Routes work on Node's own objects: the body as one buffer, the answer with headers made once.
	const serve = (route: Route) => (request: FastifyRequest, reply: FastifyReply) => {
		reply.hijack();
		const { name = "" } = request.params as { readonly name?: string };
		void run(route, context, request.raw, reply.raw, name);
	};
	app.route({ method: ["POST", "PUT"], url: "/v1.0/bindings/:name", handler: serve(invokeBinding) });
	app.get("/v1.0/healthz", serve(health));
	app.get("/v1.0/healthz/outbound", serve(outboundHealth));
	app.get("/v1.0/healthz/ready", serve(readiness));
	app.get("/v1.0/metadata", serve(metadata));
	app.put("/v1.0/metadata/:name", serve(setMetadata));
	app.post("/v1.0/shutdown", serve(shutdown));
	app.setNotFoundHandler(serve(notFound));
}

async function run(
	route: Route,
	context: RouteContext,
	request: IncomingMessage,
	response: ServerResponse,
	name: string,
): Promise<void> {
	try {
		await route(context, request, response, name);
	} catch (error) {
		context.onError(error);
		if (response.headersSent) response.destroy();
		else answerText(request, response, 500, "internal error");
	}
}

const health: Route = ({ sidecar }, request, response) => {
	const appId = new URLSearchParams(queryOf(request)).get("appid");
	if (appId !== null && appId !== sidecar.appId) {
		answerError(request, response, daprError("ERR_HEALTH_APPID_NOT_MATCH", "dapr app-id does not match"));
		return;
	}
	if (sidecar.isStarted) return answerNoContent(request, response);
	const [target, reason] = sidecar.isOutboundReady
		? ["app", "its port is closed, or it was not asked yet about every input"]
		: ["components", "they are not started yet, or the process is stopping"];
	const message = `dapr is not ready: [${target}]: ${reason}; /v1.0/healthz/ready knows more`;
	answerError(request, response, daprError("ERR_HEALTH_NOT_READY", message));
};

const outboundHealth: Route = ({ sidecar }, request, response) => {
	if (sidecar.isOutboundReady) return answerNoContent(request, response);
	answerError(
		request,
		response,
		daprError("ERR_OUTBOUND_HEALTH_NOT_READY", "dapr outbound is not ready: [components]"),
	);
};

const readiness: Route = ({ sidecar, isAnonymous }, request, response) => {
	const { ready, document } = sidecar.readiness(!isAnonymous(request));
	answerJson(request, response, ready ? 200 : 503, document);
};

const metadata: Route = ({ sidecar }, request, response) => {
	answerJson(request, response, 200, sidecar.describe());
};

const setMetadata: Route = async ({ sidecar, budget }, request, response, key) => {
	try {
		// Before the value is read.
		checkMetadataKey(key);
		const value = await readBody(request, response, MAX_EXTENDED_BYTES, budget);
		if (value === undefined) return;
		sidecar.setExtended(key, value.toString());
		answerNoContent(request, response);
	} catch (error) {
		answerError(request, response, setMetadataError(error));
	}
};

const shutdown: Route = ({ sidecar, trustsCallers }, request, response) => {
	if (!trustsCallers && !isLoopback(request.socket.localAddress ?? "")) {
		answerText(request, response, 403, "shutdown from another machine needs a token: set DAPR_API_TOKEN");
		return;
	}
	const force = request.headers["dapr-force-shutdown"] === "true";
	response.once("close", () => sidecar.shutdown(force));
	answerNoContent(request, response);
};

const notFound: Route = (_context, request, response) => {
	const message = "failed getting app id: there is no such route, and this sidecar invokes no other app";
	answerError(request, response, daprError("ERR_DIRECT_INVOKE", message));
};

function queryOf(request: IncomingMessage): string {
	const url = request.url ?? "";
	const mark = url.indexOf("?");
	return mark === -1 ? "" : url.slice(mark + 1);
}
