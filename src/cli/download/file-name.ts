/** Names of downloaded files. */
import { extensionOf } from "../streams/media-types.ts";
import type { Wanted } from "./fetch.ts";

/** The id or name that the user typed, with the extension of the stream's format unless it ends with it. */
export function fileNameOf({ idOrName, info }: Pick<Wanted, "idOrName" | "info">): string {
  const extension = extensionOf(info?.format);
  return idOrName.toLowerCase().endsWith(extension) ? idOrName : idOrName + extension;
}
