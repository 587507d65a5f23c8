import { type AppProcess, type AppScript, startApp } from "../../support/app-process.js";
import { type Mosquitto, type MosquittoOptions, startMosquitto } from "../../support/mosquitto.js";
import { connectDevice, type MqttDevice } from "../../support/mqtt-device.js";
import { type SidecarOptions, type SidecarProcess, startSidecar } from "../../support/sidecar-process.js";
import { type ComponentFields, component, untilReady } from "./component.js";

/** What differs from a mosquitto as it comes, an app that accepts everything, and a component that reads `in/#`. */
export interface LineOptions {
	readonly broker?: MosquittoOptions;
	readonly app?: AppScript;
	readonly fields?: ComponentFields;
	readonly sidecar?: Omit<SidecarOptions, "components" | "appPort">;
	/** Starts what stands between sidecar and broker; default nothing. */
	readonly between?: (broker: Mosquitto) => Promise<Between>;
}

/** Something through which the sidecar reaches the broker. */
export interface Between extends AsyncDisposable {
	readonly url: string;
}

/** Device, mosquitto, sidecar and app, each a process of its own but for the device. Disposing ends all. */
export interface Line extends AsyncDisposable {
	readonly broker: Mosquitto;
	readonly app: AppProcess;
	readonly sidecar: SidecarProcess;
	readonly device: MqttDevice;
}

/** Starts all four; resolves when the sidecar is ready. */
export async function startLine({ broker, app, fields, sidecar, between }: LineOptions = {}): Promise<Line> {
	const parts: AsyncDisposable[] = [];
	const started = <Part extends AsyncDisposable>(part: Part): Part => {
		parts.unshift(part);
		return part;
	};
	const dispose = async () => {
		for (const part of parts) await part[Symbol.asyncDispose]();
	};
	try {
		const [itsBroker, itsApp] = await Promise.all([startMosquitto(broker).then(started), startApp(app).then(started)]);
		const { url } = between === undefined ? itsBroker : started(await between(itsBroker));
		const components = component({ url, ...fields });
		const line = {
			broker: itsBroker,
			app: itsApp,
			device: started(await connectDevice(itsBroker.url)),
			sidecar: started(await startSidecar({ ...sidecar, components, appPort: itsApp.port })),
			[Symbol.asyncDispose]: dispose,
		};
		await untilReady(line.sidecar);
		return line;
	} catch (error) {
		await dispose();
		throw error;
	}
}

/** The payloads as text. */
export function texts(messages: readonly { readonly payload: Buffer }[]): string[] {
	return messages.map(({ payload }) => payload.toString());
}

/** The numbers from `from` on, `count` of them, as text. */
export function numbers(count: number, from = 0): string[] {
	return Array.from({ length: count }, (_, index) => String(from + index));
}

/** Each text once, in numeric order. */
export function distinct(payloads: readonly string[]): string[] {
	return [...new Set(payloads)].sort((one, other) => Number(one) - Number(other));
}
