/** The members that every line has, and in which order they stand; all others follow `msg`. */
const TAIL = ["scope", "app_id", "instance", "type", "ver"];

/** One log line as daprd's text form has it: `time="…" level=info  msg="…" topic=a/b scope=…`, the levels of one width. */
export function textLine(members: Readonly<Record<string, unknown>>): string {
	const { time, level, msg, ...rest } = members;
	const head = `time=${quoted(time)} level=${String(level).padEnd(7)} msg=${quoted(msg)}`;
	const details = Object.keys(rest).filter((name) => !TAIL.includes(name));
	const fields = [...details, ...TAIL.filter((name) => rest[name] !== undefined)];
	return `${[head, ...fields.map((name) => `${bare(name)}=${bare(rest[name])}`)].join(" ")}\n`;
}

function bare(value: unknown): string {
	const text = typeof value === "object" ? JSON.stringify(value) : String(value);
	return /^[\w./:@%+-]+$/.test(text) ? text : quoted(text);
}

function quoted(value: unknown): string {
	return escapeControls(JSON.stringify(String(value)));
}

/** JSON text in which everything is escaped that could end a line, move the cursor or turn the text around. */
export function escapeControls(json: string): string {
	return json.replace(/[\u007f-\u009f\u2028\u2029\p{Cf}]/gu, escaped);
}

function escaped(char: string): string {
	return Array.from({ length: char.length }, (_, i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, "0")}`).join(
		"",
	);
}
