import { eventually } from "../../support/eventually.js";
import type { SidecarProcess } from "../../support/sidecar-process.js";

/** A value in a component's metadata. */
type Value = string | number | boolean | readonly string[];

/** What a component says, beside `url`. */
export interface ComponentFields {
	/** Default `orders`. */
	readonly name?: string;
	/** `spec.metadata`; `url` and more. `topic` is `in/#` and `consumerID` `sidecar-<name>` unless given; undefined takes one away. */
	readonly [field: string]: Value | undefined;
}

/** Text of a component file: one `bindings.mqtt3`. Several joined make a file of several documents. */
export function component({ name = "orders", ...fields }: ComponentFields): string {
	const metadata = { topic: "in/#", consumerID: `sidecar-${name}`, ...fields };
	const items = Object.entries(metadata)
		.filter(([, value]) => value !== undefined)
		.map(([field, value]) => `    - { name: ${field}, value: ${JSON.stringify(value)} }\n`);
	return `---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: ${name} }
spec:
  type: bindings.mqtt3
  version: v1
  metadata:
${items.join("")}`;
}

/** One reason of `GET /v1.0/healthz/ready`. */
export interface Reason {
	readonly code: string;
	readonly message: string;
	readonly blocking: boolean;
	readonly component?: string;
}

/** Waits until the sidecar is ready: connected, subscribed, the app found. */
export async function untilReady(sidecar: SidecarProcess, timeoutMs = 15_000): Promise<void> {
	await eventually(
		async () => {
			const { status, body } = await sidecar.ready();
			if (status !== 200) throw new Error(`not ready: ${JSON.stringify(body)}`);
		},
		{ timeoutMs },
	);
}

/** Waits until readiness has a reason of this code; resolves with it. */
export async function untilReason(sidecar: SidecarProcess, code: string, timeoutMs = 15_000): Promise<Reason> {
	return await eventually(
		async () => {
			const found = (await reasons(sidecar)).find((reason) => reason.code === code);
			if (!found) throw new Error(`no reason ${code}`);
			return found;
		},
		{ timeoutMs },
	);
}

/** What readiness says now. */
export async function reasons(sidecar: SidecarProcess): Promise<readonly Reason[]> {
	return ((await sidecar.ready()).body as { readonly reasons: readonly Reason[] }).reasons;
}

/** Lines of the log that hold this cause: `code=…` in text. */
export function logged(sidecar: SidecarProcess, code: string): string[] {
	return sidecar.output.filter((line) => line.includes(` code=${code} `));
}

/** The value of the first metric line that begins so; rejects without one. */
export async function metric(sidecar: SidecarProcess, start: string): Promise<number> {
	const line = (await sidecar.metrics()).split("\n").find((one) => one.startsWith(start));
	if (line === undefined) throw new Error(`no metric ${start}`);
	return Number(line.split(" ").at(-1));
}
