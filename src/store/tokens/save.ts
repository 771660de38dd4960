/** A new token in the catalog, which holds so many of them. */
import { WavecacheError } from "../../base/errors.ts";
import { maxTokens } from "../../base/limits/access.ts";
import type { TokenCatalog, TokenRow } from "./catalog.ts";

/** Tokens that have ended stay listed until their places are needed. Throws TOKENS_EXHAUSTED. */
export function saveToken(tokens: TokenCatalog, token: TokenRow, max: number = maxTokens): null {
  if (tokens.count() >= max && !tokens.removeEnded(token.createdAt)) {
    throw new WavecacheError("TOKENS_EXHAUSTED");
  }
  tokens.enter(token);
  return null;
}
