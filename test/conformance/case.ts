import type { Face } from "./face.js";
import type { Stage, StageOptions } from "./stage.js";

/** One promise of the binding. */
export interface Case {
	/** A sentence of behaviour. */
	readonly name: string;
	/** Faces to which it applies; default: all. */
	readonly faces?: readonly Face["name"][];
	/** Whether it applies to one of those; default: it does. */
	readonly applies?: (face: Face) => boolean;
	run(stage: Stage): Promise<void>;
}

/** Cases that share a broker and a binding, one after the other. */
export interface CaseGroup {
	readonly name: string;
	/** How the binding is started; absent: each case starts it. */
	readonly options?: StageOptions;
	/** Before the binding starts. */
	prepare?(stage: Stage): Promise<void>;
	readonly cases: readonly Case[];
}
