import { libraryFace } from "./library-face.js";
import { runCases } from "./run-cases.js";

runCases(libraryFace);
