// Writes src/gen from proto/, and what documentation repeats of the code: docs/reference/metadata.md, docs/reference/metrics.md and
// the table of fields in README.md.
// With --check it writes nothing and ends with 1 where something is not current. Needs a built dist.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { renderFieldTable } from "../dist/bindings/metadata.js";
import { MQTT3_FIELDS } from "../dist/bindings/mqtt3-fields.js";
import { METRICS, renderMetricTable } from "../dist/diagnostics/metric-table.js";
import { generateProtocol } from "./generate-protocol.mjs";

const ROOT = dirname(import.meta.dirname);

const specified = fieldsWhere(({ origin }) => origin === "specification");
const ours = fieldsWhere(({ origin, notYet }) => origin !== "specification" && !notYet);
const notYet = fieldsWhere((field) => field.notYet);

const readmeFields = `Those of Dapr's page for the component:

${renderFieldTable(specified)}
Beyond that page, all optional; without them everything is as the page says:

${renderFieldTable(ours)}`;

const reference = `<!-- Generated from src/bindings/mqtt3-fields.ts by "npm run generate"; edit that instead. -->

# Metadata of \`bindings.mqtt3\`

Names are compared without regard to case. A field that is unknown is a warning with the nearest known name; a field that is given in
two spellings, or with a value that can't be meant, is an error that names component, file and line.

| values | how they are written |
| --- | --- |
| \`true\`, \`false\` | also \`yes\`, \`y\`, \`t\`, \`on\`, \`1\` and their opposites, in any case |
| duration | \`5s\`, \`1m30s\`, \`250ms\`; a bare number is seconds |
| size | \`65536\`, \`64Ki\`, \`4Mi\` |
| list of texts | a YAML list, or its JSON text |
| PEM | as it is, with \`\\n\` spelled out, in base64, or \`file:PATH\` |
| any | YAML scalars of any type, \`secretKeyRef\`, \`envRef\`; \`{uuid}\`, \`{appID}\`, \`{podName}\` and \`{namespace}\` are replaced |

*Secret* values, PEM and the user info of URLs are shown nowhere: not in logs, not in errors, not by the API.

In the library the same values are typed options: \`consumerID\` is \`clientId\`, durations are numbers of milliseconds with \`Ms\` at the
end of the name (\`keepAliveMs\`), sizes are numbers of bytes, lists are arrays.

## Of Dapr's page for the component

${renderFieldTable(specified)}
## Beyond that page, all optional

${renderFieldTable(ours)}
## Known, but not in this version

Naming one of these ends the start with an error that says so.

${renderFieldTable(notYet)}`;

const metrics = `<!-- Generated from src/diagnostics/metric-table.ts by "npm run generate"; edit that instead. -->

# Metrics

\`\`\`bash
curl http://127.0.0.1:9090/metrics
\`\`\`

The sidecar serves Prometheus' text format on \`--metrics-port\` (9090; a free port where nobody chose one and 9090 is taken; the log names
it) and \`--metrics-listen-address\` (127.0.0.1; for a scraper on another machine \`0.0.0.0\`). \`--enable-metrics=false\` switches them off.

Every metric has the labels \`app_id\` and \`namespace\` beside its own. \`component\` is the name of a loaded component; no label ever holds a
topic, a URL or anything that a message brings. Counters begin with the process.

## Dapr's

${renderMetricTable(METRICS.filter(({ name }) => name.startsWith("dapr_")))}
An attempt that says nothing of the message (the app does not listen, we stop) is not counted. What a caller asks of a component that is
not there is not counted either: its names could be anything.

## Ours, for what Dapr has none

${renderMetricTable(METRICS.filter(({ name }) => !name.startsWith("dapr_")))}
## Of the process and of Node

\`process_…\` and \`nodejs_…\` as \`prom-client\` names them: CPU, memory, file descriptors, garbage collection, event loop. The package is
loaded with the first scrape.
`;

const isCheck = process.argv.includes("--check");
const stale = [
	...generateProtocol({ isCheck }),
	update("docs/reference/metadata.md", () => reference),
	update("docs/reference/metrics.md", () => metrics),
	update("README.md", (text) => between(text, "fields", readmeFields)),
].filter(Boolean);

if (isCheck && stale.length > 0) {
	console.error(`not current: ${stale.join(", ")}; run "npm run generate"`);
	process.exitCode = 1;
}

function fieldsWhere(isWanted) {
	return Object.fromEntries(Object.entries(MQTT3_FIELDS).filter(([, field]) => isWanted(field)));
}

/** Writes the file if it changes, or with --check only says so: by its path. */
function update(path, render) {
	const file = join(ROOT, path);
	const before = read(file);
	const after = render(before);
	if (before === after) return undefined;
	if (!isCheck) {
		mkdirSync(dirname(file), { recursive: true });
		writeFileSync(file, after);
	}
	return path;
}

function read(file) {
	try {
		return readFileSync(file, "utf8");
	} catch (error) {
		if (error.code === "ENOENT") return "";
		throw error;
	}
}

/** `text` with `content` between the two markers of that name. */
function between(text, name, content) {
	const [start, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
	const [head, rest] = text.split(start);
	const tail = rest?.split(end)[1];
	if (tail === undefined) throw new Error(`README.md has no ${start} … ${end}`);
	return `${head}${start}\n\n${content}\n${end}${tail}`;
}
