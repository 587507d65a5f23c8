import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { type Client, loadPackageDefinition, type ServiceDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

type Answer = {
	readonly listServicesResponse?: { readonly service: readonly { readonly name: string }[] };
	readonly fileDescriptorResponse?: { readonly fileDescriptorProto: readonly Buffer[] };
	readonly errorResponse?: { readonly errorCode: number; readonly errorMessage: string };
};

/** A client of gRPC's server reflection, as `grpcurl` and daprd use it. */
export class ServerReflection {
	readonly #client: Client;
	readonly #service: ServiceDefinition;

	constructor(client: Client, version: "v1" | "v1alpha") {
		this.#client = client;
		const folder = dirname(createRequire(import.meta.url).resolve("@grpc/reflection/package.json"));
		const definition = loadSync(join(folder, "build/proto/grpc/reflection", version, "reflection.proto"));
		const { grpc } = loadPackageDefinition(definition) as never as {
			grpc: { reflection: Record<string, { ServerReflection: { service: ServiceDefinition } }> };
		};
		this.#service = grpc.reflection[version]!.ServerReflection.service;
	}

	/** Names with their packages. Rejects with the ServiceError of a server that has no reflection. */
	async listServices(): Promise<readonly string[]> {
		const { listServicesResponse } = await this.#ask({ listServices: "" });
		return (listServicesResponse?.service ?? []).map(({ name }) => name);
	}

	/** The descriptors of the file that has this symbol, and of what it imports. */
	async fileContaining(symbol: string): Promise<readonly Buffer[]> {
		const { fileDescriptorResponse, errorResponse } = await this.#ask({ fileContainingSymbol: symbol });
		if (fileDescriptorResponse === undefined) throw new Error(errorResponse?.errorMessage ?? "no answer");
		return fileDescriptorResponse.fileDescriptorProto;
	}

	#ask(request: unknown): Promise<Answer> {
		const { path, requestSerialize, responseDeserialize } = this.#service.ServerReflectionInfo!;
		return new Promise((resolve, reject) => {
			const stream = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
			stream.on("error", reject);
			stream.on("data", (answer: Answer) => {
				resolve(answer);
				stream.end();
			});
			stream.write(request);
		});
	}
}
