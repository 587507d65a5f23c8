const MAX_BYTES = 8_192;
const MAX_MEMBERS = 64;
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;
const VALUE = /^(?:[!#$&-+\--:<-[\]-~]|%[0-9A-Fa-f]{2})*$/;

/** Undefined when `header` is W3C baggage, else what is wrong with it. */
export function baggageFault(header: string): string | undefined {
	if (header.length > MAX_BYTES) return `longer than ${MAX_BYTES} bytes`;
	const members = header.split(",");
	if (members.length > MAX_MEMBERS) return `more than ${MAX_MEMBERS} members`;
	for (const member of members) {
		const [pair = "", ...properties] = member.split(";").map((part) => part.trim());
		if (pair === "" && properties.length === 0) continue;
		if (!pair.includes("=")) return "a member without value";
		if (![pair, ...properties].every(isPair)) return "a member that is not key=value";
	}
	return undefined;
}

function isPair(text: string): boolean {
	const mark = text.indexOf("=");
	if (mark === -1) return TOKEN.test(text);
	return TOKEN.test(text.slice(0, mark).trim()) && VALUE.test(text.slice(mark + 1).trim());
}
