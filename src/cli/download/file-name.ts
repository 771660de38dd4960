/** Names of downloaded files. */
import { extensionOf } from "../streams/media-types.ts";
import type { Wanted } from "./fetch.ts";

/**
 * The name of the file that was uploaded, or else the id or name that the user typed, with the extension of the stream's
 * format unless it ends with it. The server's name is a single component, which neither hides nor leads elsewhere.
 */
export function fileNameOf({ idOrName, info }: Pick<Wanted, "idOrName" | "info">): string {
  const uploaded = plainName(info?.name ?? "");
  if (uploaded !== "") return uploaded;
  const extension = extensionOf(info?.format);
  return idOrName.toLowerCase().endsWith(extension) ? idOrName : idOrName + extension;
}

function plainName(name: string): string {
  const last = name.split(/[/\\]/).at(-1) ?? "";
  return last.replace(/^[. ]+/, "").trim();
}
