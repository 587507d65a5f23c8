import { pluggableFace } from "./pluggable-face.js";
import { runCases } from "./run-cases.js";

runCases(pluggableFace);
