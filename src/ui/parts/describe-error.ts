import { ApiError } from "../api/request.ts";

/** As a sentence, with what to do about it. */
export function describeError(error: unknown): { message: string; hint: string } {
  if (!(error instanceof Error)) return { message: String(error), hint: "" };
  const { message } = error;
  const sentence = `${message.charAt(0).toUpperCase()}${message.slice(1)}.`;
  return { message: sentence, hint: error instanceof ApiError ? error.hint : "" };
}
