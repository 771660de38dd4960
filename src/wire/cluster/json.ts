/** JSON between nodes. */
import * as v from "valibot";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

export function encode(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

/** Undefined for what is no JSON, or has another shape. */
export function decode<S extends v.GenericSchema>(
  schema: S,
  message: Uint8Array,
): v.InferOutput<S> | undefined {
  try {
    const { success, output } = v.safeParse(schema, JSON.parse(decoder.decode(message)));
    return success ? output : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}
