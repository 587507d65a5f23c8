import { grpcFace } from "./grpc-face.js";
import { runCases } from "./run-cases.js";

runCases(grpcFace);
