/** One fenced block of a Markdown text. */
export interface CodeBlock {
	/** What stands behind the fence: `bash`, `ts`, `yaml`, `text`. */
	readonly language: string;
	readonly text: string;
	/** The path in backticks at the end of the paragraph before, if there is one: the file that the block shows. */
	readonly file: string | undefined;
	/** Of the opening fence, counted from 1. */
	readonly line: number;
}

/** All fenced blocks of a Markdown text, in order. */
export function codeBlocks(markdown: string): readonly CodeBlock[] {
	const lines = markdown.split("\n");
	const blocks: CodeBlock[] = [];
	for (let start = 0; start < lines.length; start++) {
		const [, language] = /^```(\w*)$/.exec(lines[start]!) ?? [];
		if (language === undefined) continue;
		const end = lines.indexOf("```", start + 1);
		if (end < 0) throw new Error(`line ${start + 1}: the block does not end`);
		const paragraph = lines.slice(0, start).findLast((line) => line !== "");
		const [, file] = /`([\w./-]+)`:$/.exec(paragraph ?? "") ?? [];
		blocks.push({ language, text: `${lines.slice(start + 1, end).join("\n")}\n`, file, line: start + 1 });
		start = end;
	}
	return blocks;
}

/** The paths of all relative links of a Markdown text, without anchors. */
export function relativeLinks(markdown: string): readonly string[] {
	const links = [...markdown.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)/g)];
	return [...new Set(links.map(([, path]) => path!))];
}

/** A regular expression for one line of expected output, in which `…` stands for anything. */
export function expectedLine(line: string): RegExp {
	return new RegExp(`^${line.split("…").map(escapeText).join(".*")}$`);
}

function escapeText(text: string): string {
	return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
