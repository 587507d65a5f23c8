import { posix } from "node:path";

/** The path that a route stands for: one leading slash, no dot segments, no trailing slash, percent-encoded where HTTP needs it; a query stays. */
export function routePath(route: string): string {
	const at = route.indexOf("?");
	const path = posix.normalize(`/${at < 0 ? route : route.slice(0, at)}`);
	const url = new URL("http://app");
	url.pathname = path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
	if (at >= 0) url.search = route.slice(at);
	return url.pathname + url.search;
}
