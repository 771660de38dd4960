import { WavecacheError } from "../base/errors.ts";

/**
 * The code of the error that a promise is rejected with, its text if it is none of the table. The event loop goes on
 * meanwhile: `expect(promise).rejects` waits in a loop of its own, in which messages of threads may not arrive.
 */
export async function failureOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return error instanceof WavecacheError ? error.code : String(error);
  }
  return "no failure";
}
