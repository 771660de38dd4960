/** `--token` and WAVECACHE_TOKEN: who the client is. */
import type { Command } from "cac";
import { tokenIn } from "../../client/transport/credential.ts";
import { type Options, textOption } from "../kit/arguments.ts";
import { usageError } from "../kit/failures.ts";

const variable = "WAVECACHE_TOKEN";

export function tokenOption(command: Command): Command {
  return command.option("--token <token>", `Token of the server, where others cannot see it: ${variable}`);
}

/** The token for an address, which may have its own; undefined without any. */
export function tokenOf(options: Options, address = ""): string | undefined {
  const token = tokenIn(address) ?? textOption(options, "token") ?? process.env[variable];
  // It would break a header, and HTTP would say so with the whole token.
  if (token !== undefined && !/^[\x21-\x7e]*$/.test(token))
    throw usageError("the token has characters that no token has");
  return token === "" ? undefined : token;
}
