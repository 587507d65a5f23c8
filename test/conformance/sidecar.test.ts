import { afterAll } from "vitest";
import { runCases } from "./run-cases.js";
import { SidecarFace } from "./sidecar-face.js";

const face = new SidecarFace();
afterAll(() => face[Symbol.asyncDispose]());
runCases(face);
