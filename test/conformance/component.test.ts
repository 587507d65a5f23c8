import { componentFace } from "./component-face.js";
import { runCases } from "./run-cases.js";

runCases(componentFace);
