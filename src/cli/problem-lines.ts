import { BindingError } from "../errors.js";

/**
 * What a person must read to mend a configuration: one line per problem, without stack traces.
 * Undefined when there is something else among the errors, which then is a bug and not a problem of the configuration.
 */
export function problemLines(error: unknown): readonly string[] | undefined {
	const errors = flatten(error);
	if (!errors.every((each) => each instanceof BindingError)) return undefined;
	return errors.flatMap((each) => each.message.split("\n").map((line) => `error: ${line}`));
}

function flatten(error: unknown): readonly unknown[] {
	return error instanceof AggregateError ? error.errors.flatMap(flatten) : [error];
}
