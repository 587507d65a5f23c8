import type { Server } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { FILE_DESCRIPTORS } from "../gen/descriptors.js";

type PackageDefinition = ConstructorParameters<typeof ReflectionService>[0];

/** Lets callers ask which services there are: `grpc.reflection.v1`, and `v1alpha`, which daprd asks for. Names with their package. */
export function addReflection(server: Server, services: readonly string[]): void {
	const fileDescriptorProtos = FILE_DESCRIPTORS.map((text) => Buffer.from(text, "base64"));
	// Of a package definition nothing but the descriptors is looked at.
	const definition = { proto: { format: "", type: {}, fileDescriptorProtos } } as unknown as PackageDefinition;
	new ReflectionService(definition, { services: [...services] }).addToServer(server);
}
