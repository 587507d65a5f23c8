const SHOWN_AT_MOST = 100;

/** A text of somebody else's, as a topic, for messages to people: in quotes, escaped, and cut where it is long. */
export function quote(text: string): string {
	return JSON.stringify(text.length > SHOWN_AT_MOST ? `${text.slice(0, SHOWN_AT_MOST)}…` : text);
}
