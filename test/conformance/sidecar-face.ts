import { formatMqtt3Metadata } from "../../src/bindings/mqtt3-metadata.js";
import type { Mqtt3Options } from "../../src/bindings/mqtt3-options.js";
import { type AppProcess, type AppRequest, startApp } from "../support/app-process.js";
import { eventually } from "../support/eventually.js";
import { startSidecar } from "../support/sidecar-process.js";
import { outcomeOfAnswer } from "./create-outcome.js";
import type { AppEvent, Face } from "./face.js";

export type Ready = { readonly reasons: readonly { readonly code: string; readonly blocking: boolean }[] };

/** The program `mqtt3-binding run` between the broker and an HTTP app, each a process of its own. Disposing it ends the app, which all share. */
export class SidecarFace implements Face, AsyncDisposable {
	readonly name = "sidecar";
	readonly takesJson = true;
	/** Node's HTTP server takes 16 KiB of headers. */
	readonly longestTopic = 15_000;
	#app: AppProcess | undefined;

	async start(options: Mqtt3Options, { script = {}, graceMs }: Parameters<Face["start"]>[1]) {
		this.#app ??= await startApp();
		const app = this.#app;
		await app.answer(script);
		const before = app.requests().length;
		const sidecar = await startSidecar({
			components: componentText(options),
			appPort: app.port,
			args: ["--dapr-graceful-shutdown-seconds", String(graceMs / 1_000)],
		});
		await eventually(
			async () => {
				const { status, body } = await sidecar.ready();
				if (status !== 200) throw new Error(`not ready: ${JSON.stringify(body)}`);
			},
			{ timeoutMs: 15_000 },
		);
		return {
			events: () => app.requests().slice(before).map(eventOf),
			answer: (next: typeof script) => app.answer(next),
			create: async ({ operation = "create", data, metadata = {} }) => {
				const members = [
					`"operation":${JSON.stringify(operation)}`,
					...(data === undefined ? [] : [`"data":${data}`]),
					`"metadata":${JSON.stringify(metadata)}`,
				];
				return await outcomeOfAnswer(await sidecar.create("orders", `{${members.join()}}`));
			},
			reasons: async () => ((await sidecar.ready()).body as Ready).reasons,
			stop: async () => {
				const { code } = await sidecar.stop();
				if (code !== 0 && code !== 1) throw new Error(`exit code ${code}`);
				return code === 0;
			},
			[Symbol.asyncDispose]: () => sidecar[Symbol.asyncDispose](),
		} satisfies Awaited<ReturnType<Face["start"]>>;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#app?.[Symbol.asyncDispose]();
	}
}

export function componentText(options: Mqtt3Options): string {
	const metadata = Object.entries(formatMqtt3Metadata(options)).map(([name, value]) => ({ name, value }));
	return JSON.stringify({
		apiVersion: "dapr.io/v1alpha1",
		kind: "Component",
		metadata: { name: "orders" },
		spec: { type: "bindings.mqtt3", version: "v1", metadata },
	});
}

function eventOf({ headers, payload, path, at, status, answeredAt }: AppRequest): AppEvent {
	const percent = headers["topic-percent"];
	return {
		topic: percent === undefined ? headers.topic! : decodeURIComponent(percent),
		payload,
		retained: headers.retained === "true",
		qos: Number(headers.qos ?? 1),
		attempt: Number(headers.attempt ?? 1),
		contentType: headers["content-type"],
		route: path.slice(1),
		at,
		status,
		answeredAt,
	};
}
