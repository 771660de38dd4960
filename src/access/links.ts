/**
 * Signed links: whoever has one may read one resource until it expires. As text, four parts separated by dots:
 *
 *     resource in base64url . expiry in seconds since 1970 . id of the token that shared it . HMAC-SHA-256 in base64url
 *
 * The HMAC covers the method and the other three, each on a line of its own. A link dies with the token that shared it,
 * and with its key: the first line of the key file signs, and all lines verify.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { existsSync } from "node:fs";
import { WavecacheError } from "../base/errors.ts";
import { minSecretBytes } from "../base/limits/access.ts";
import type { Log } from "../base/log/log.ts";
import { sharedNow } from "../base/system/shared-clock.ts";
import type { KeeperArgs, KeeperResult } from "../store/keeper-calls.ts";
import { createKeyFile, readKeyFile, unusable } from "./key-file.ts";

export interface Link {
  resource: string;
  /** In seconds since 1970. */
  expires: number;
  /** The token that shared it; empty if that was none. */
  issuer: string;
}

export interface KeyStore {
  call(call: "sharedKey", args: KeeperArgs<"sharedKey">): Promise<KeeperResult<"sharedKey">>;
}

const method = "GET";
const shape = /^([\w-]+)\.(\d{1,12})\.(\w*)\.([\w-]{43})$/;

export class Links {
  /** The first one signs. */
  readonly #keys: readonly Buffer[];

  constructor(keys: readonly Buffer[]) {
    this.#keys = keys;
  }

  /**
   * Reads the keys. Makes a file with a new one if there is none at `defaultPath` and `path` is undefined. A server
   * starts on a full disk, too: the key then lasts for this run.
   */
  static async open(path: string | undefined, defaultPath: string, log: Log): Promise<Links> {
    return new Links(path === undefined ? await ownKeys(defaultPath, log) : await keysOf(path, log));
  }

  /**
   * The key that all nodes of a catalog share. The first node enters it: its own key, if it has one from the time when it
   * was alone, so that its links live on. Rejects with CREDENTIALS_UNUSABLE, or an error of the catalog.
   */
  static async ofCatalog(catalog: KeyStore, ownPath: string, log: Log): Promise<Links> {
    const [own = randomBytes(32)] = existsSync(ownPath) ? await keysOf(ownPath, log) : [];
    const candidate = own.toString("base64url");
    const key = await catalog.call("sharedKey", { name: "links", candidate });
    return new Links([Buffer.from(key, "base64url")]);
  }

  sign(link: Link): string {
    const signed = signedText(link);
    const resource = Buffer.from(link.resource).toString("base64url");
    return `${resource}.${link.expires}.${link.issuer}.${mac(this.#keys[0]!, signed).toString("base64url")}`;
  }

  /** Throws LINK_WRONG, LINK_EXPIRED. */
  verify(text: string): Link {
    const [, encoded = "", expires = "", issuer = "", signature = ""] = shape.exec(text) ?? [];
    const link = {
      resource: Buffer.from(encoded, "base64url").toString("utf8"),
      expires: Number(expires),
      issuer,
    };
    const given = Buffer.from(signature, "base64url");
    const signed = signedText(link);
    if (given.length === 0 || !this.#keys.some((key) => timingSafeEqual(mac(key, signed), given)))
      throw new WavecacheError("LINK_WRONG");
    if (link.expires * 1000 <= sharedNow()) throw new WavecacheError("LINK_EXPIRED");
    return link;
  }
}

async function ownKeys(path: string, log: Log): Promise<Buffer[]> {
  const key = randomBytes(32);
  try {
    await createKeyFile(path, `${key.toString("base64url")}\n`);
  } catch (error) {
    log.warn("the key of signed links cannot be stored: links end with this run of the server", { error });
    return [key];
  }
  return await keysOf(path, log);
}

async function keysOf(path: string, log: Log): Promise<Buffer[]> {
  const lines = (await readKeyFile(path, log)).split("\n").map((line) => line.trim());
  const keys = lines.filter(Boolean).map((line) => Buffer.from(line, "base64url"));
  if (keys.length === 0 || keys.some(({ length }) => length < minSecretBytes))
    throw unusable(`${path} needs a key of at least ${minSecretBytes} bytes in base64url in each line`);
  return keys;
}

/** What a text would be a link to, whoever signed it; undefined if it has not the form of a link. */
export function resourceOfLink(text: string): string | undefined {
  const encoded = shape.exec(text)?.[1];
  return encoded === undefined ? undefined : Buffer.from(encoded, "base64url").toString("utf8");
}

function signedText({ resource, expires, issuer }: Link): string {
  return [method, resource, expires, issuer].join("\n");
}

function mac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
