import { type ComponentFields, component } from "../../integration/sidecar/component.js";
import { type AppProcess, type AppScript, startApp } from "../../support/app-process.js";
import { type ScriptedBroker, type ScriptedConnection, startScriptedBroker } from "../../support/scripted-broker.js";
import { type SidecarProcess, startSidecar } from "../../support/sidecar-process.js";

/** Scripted broker, sidecar and app. Disposing ends all. */
export interface ScriptedLine extends AsyncDisposable {
	readonly broker: ScriptedBroker;
	readonly app: AppProcess;
	readonly sidecar: SidecarProcess;
	/** Takes the next connection, answers its CONNECT, and grants its SUBSCRIBE. */
	subscribed(options?: { readonly sessionPresent?: boolean }): Promise<ScriptedConnection>;
}

/** For what a good broker never does, or not when a test wants it. */
export async function startScriptedLine({
	app: script = {},
	fields = {},
}: {
	readonly app?: AppScript;
	readonly fields?: ComponentFields;
} = {}): Promise<ScriptedLine> {
	const broker = await startScriptedBroker();
	const app = await startApp(script);
	const sidecar = await startSidecar({ components: component({ url: broker.url, ...fields }), appPort: app.port });
	return {
		broker,
		app,
		sidecar,
		subscribed: async (options) => {
			const connection = await broker.accept(20_000);
			await connection.greet(options);
			await connection.grant();
			return connection;
		},
		[Symbol.asyncDispose]: async () => {
			await sidecar[Symbol.asyncDispose]();
			await app[Symbol.asyncDispose]();
			await broker[Symbol.asyncDispose]();
		},
	};
}

/** Identifiers of the PUBACKs that come next. */
export async function pubAcks(connection: ScriptedConnection, count: number): Promise<number[]> {
	const ids: number[] = [];
	while (ids.length < count) ids.push((await connection.expect("puback", () => true, 10_000)).messageId!);
	return ids;
}
