import type { SoakResult } from "./soak.js";
import type { Victim } from "./soak-faults.js";
import { SOAK_FAULTS } from "./soak-faults.js";
import type { SoakSample } from "./soak-samples.js";

const WIDTH = 1_000;
const LEFT = 70;
const RIGHT = 16;
const TOP = 64;
const PLOT = 150;
const GAP = 46;
const HEIGHT = TOP + 3 * (PLOT + GAP) + 8;
const VICTIMS: readonly Victim[] = ["broker", "app", "sidecar", "network"];

interface Line {
	readonly name: string;
	readonly style: "one" | "two";
	readonly value: (sample: SoakSample) => number;
}

interface Plot {
	readonly title: string;
	readonly lines: readonly Line[];
}

const PLOTS: readonly Plot[] = [
	{
		title: "Resident memory of the sidecar, MiB",
		lines: [{ name: "memory", style: "one", value: ({ memoryMiB }) => memoryMiB }],
	},
	{
		title: "In flight",
		lines: [
			{ name: "received, not acknowledged", style: "one", value: ({ unacknowledged }) => unacknowledged },
			{ name: "publishes pending", style: "two", value: ({ pending }) => pending },
		],
	},
	{
		title: "Messages a second",
		lines: [
			{ name: "accepted by the app", style: "one", value: ({ accepted }) => accepted },
			{ name: "create succeeded", style: "two", value: ({ created }) => created },
		],
	},
];

const STYLE = `
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 } .small { font-size: 11px; fill: #57606a }
.back { fill: #fff } .grid { stroke: #d0d7de; stroke-width: 1 }
.line { fill: none; stroke-width: 1.5; stroke-linejoin: round }
.one { stroke: #0550ae } .two { stroke: #953800 }
.mark { opacity: .28 } .broker { fill: #cf222e } .app { fill: #bf8700 } .sidecar { fill: #8250df } .network { fill: #1a7f37 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .small { fill: #9198a1 } .back { fill: #0d1117 } .grid { stroke: #3d444d }
.one { stroke: #6cb6ff } .two { stroke: #ffa657 } .mark { opacity: .4 }
}`;

/** Memory, in flight and throughput over time, with the faults as bands: an SVG for light and dark pages. */
export function soakPicture({ samples, disruptions, startedAt, seconds, seed }: SoakResult): string {
	const x = (second: number) => LEFT + (Math.min(Math.max(second, 0), seconds) / seconds) * (WIDTH - LEFT - RIGHT);
	const victims = new Map(SOAK_FAULTS.map(({ name, victim }) => [name, victim]));
	const marks = disruptions.list.map(({ kind, beganAt, endedAt }) => {
		const [from, to] = [x((beganAt - startedAt) / 1_000), x((endedAt - startedAt) / 1_000)];
		const width = Math.max(to - from, 1.5).toFixed(1);
		return { at: from.toFixed(1), width, victim: victims.get(kind) ?? "network", kind };
	});
	const plots = PLOTS.map((plot, index) => {
		const top = TOP + index * (PLOT + GAP);
		const most = niceTop(samples.list, plot.lines);
		const y = (value: number) => top + PLOT - (value / most) * PLOT;
		return [
			`<text class="title" x="${LEFT}" y="${top - 8}">${plot.title}</text>`,
			...legend(plot, top),
			...marks.map(
				({ at, width, victim, kind }) =>
					`<rect class="mark ${victim}" x="${at}" y="${top}" width="${width}" height="${PLOT}"><title>${kind.replaceAll("'", "’")}</title></rect>`,
			),
			...[0, 0.5, 1].map((part) => {
				const at = y(part * most).toFixed(1);
				return `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}"/><text class="small" text-anchor="end" x="${LEFT - 6}" y="${Number(at) + 4}">${part * most}</text>`;
			}),
			...minutes(seconds).map(
				(minute) =>
					`<text class="small" text-anchor="middle" x="${x(minute * 60).toFixed(1)}" y="${top + PLOT + 15}">${minute} min</text>`,
			),
			...plot.lines.map(
				({ style, value }) =>
					`<path class="line ${style}" d="${path(samples.list, x, (sample) => y(value(sample)))}"/>`,
			),
		].join("\n");
	});
	return [
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Memory, in flight and throughput of a soak, with its faults">`,
		`<style>${STYLE}\n</style>`,
		`<rect class="back" width="${WIDTH}" height="${HEIGHT}"/>`,
		`<text x="${LEFT}" y="24">${disruptions.count} faults in ${Math.round(seconds / 60)} minutes, seed ${seed}; who was hurt, until messages flowed again:</text>`,
		...VICTIMS.map((victim, index) => {
			const at = WIDTH - RIGHT - (VICTIMS.length - index) * 90;
			return `<rect class="mark ${victim}" x="${at}" y="12" width="14" height="14"/><text x="${at + 20}" y="24">${victim}</text>`;
		}),
		...plots,
		"</svg>\n",
	].join("\n");
}

function legend({ lines }: Plot, top: number): string[] {
	if (lines.length < 2) return [];
	return lines.map(({ name, style }, index) => {
		const at = WIDTH - RIGHT - (lines.length - index) * 200;
		return `<line class="line ${style}" x1="${at}" x2="${at + 18}" y1="${top - 12}" y2="${top - 12}"/><text class="small" x="${at + 24}" y="${top - 8}">${name}</text>`;
	});
}

/** Breaks where there was nothing to look at. */
function path(
	samples: readonly SoakSample[],
	x: (second: number) => number,
	y: (sample: SoakSample) => number,
): string {
	let pen = "M";
	let result = "";
	for (const sample of samples) {
		const at = y(sample);
		if (Number.isFinite(at)) result += `${pen}${x(sample.second).toFixed(1)} ${at.toFixed(1)}`;
		pen = Number.isFinite(at) ? "L" : "M";
	}
	return result;
}

function niceTop(samples: readonly SoakSample[], lines: readonly Line[]): number {
	let most = 1;
	for (const { value } of lines) for (const sample of samples) most = Math.max(most, value(sample) || 0);
	const power = 10 ** Math.floor(Math.log10(most));
	return [1, 2, 4, 5, 10].map((factor) => factor * power).find((top) => top >= most) ?? most;
}

/** At most ten ticks. */
function minutes(seconds: number): number[] {
	const all = seconds / 60;
	const step = [1, 2, 5, 10, 30, 60, 120].find((each) => all / each <= 10) ?? 240;
	return Array.from({ length: Math.floor(all / step) + 1 }, (_, index) => index * step);
}
