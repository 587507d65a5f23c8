/** What the path of a request means, after its one and only decoding. */
export type RequestTarget =
	| {
			/** The one way to write this path: a router that decodes it again finds the same names. Without the query. */
			readonly path: string;
			readonly query: string;
	  }
	| { readonly refused: string };

/** A path that decoding would not change. */
const PLAIN = /^(?:\/[\w~-]+(?:\.[\w~-]+)*)+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const FORBIDDEN = /[\u0000-\u001f\u007f-\u009f/\\]|\.\./;

/**
 * Decodes the target of a request line, once, segment by segment: empty segments are dropped, `+` is a space, as in Dapr.
 * Refused: a bad escape, an escaped `/` or `\`, a control character, `..`, and whatever does not begin with a slash.
 */
export function parseTarget(url: string): RequestTarget {
	if (PLAIN.test(url)) return { path: url, query: "" };
	const mark = url.indexOf("?");
	const raw = mark === -1 ? url : url.slice(0, mark);
	const query = mark === -1 ? "" : url.slice(mark + 1);
	if (!raw.startsWith("/")) return { refused: "the request target is not a path" };
	let path = "";
	for (const segment of raw.split("/")) {
		if (segment === "") continue;
		const decoded = decode(segment);
		if (decoded === undefined) return { refused: "the path holds a percent escape that is not UTF-8" };
		if (decoded === "." || FORBIDDEN.test(decoded)) {
			return { refused: "the path holds a slash, a backslash, a control character or dots that name a folder" };
		}
		path += `/${encodeURIComponent(decoded)}`;
	}
	return { path: path === "" ? "/" : path, query };
}

function decode(segment: string): string | undefined {
	try {
		return decodeURIComponent(segment.replaceAll("+", " "));
	} catch {
		return undefined;
	}
}
