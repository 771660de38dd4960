/** The bucket of the archive as the options state it, and its credentials, which no option holds. */
import { readFileSync } from "node:fs";
import { toWavecacheError } from "../base/errors.ts";
import type { BucketSettings } from "../store/archive/bucket.ts";
import { type Config, ConfigError, type Environment } from "./schema.ts";

type Options = Pick<
  Config,
  "archive" | "archiveEndpoint" | "archiveRegion" | "archiveCredentialsFile" | "acknowledge"
>;

/** Names the archive in the catalog; undefined without one. */
export function archiveAddress({ archive, archiveEndpoint: endpoint }: Options): string | undefined {
  return archive && `s3://${archive.bucket}/${archive.prefix}@${endpoint ?? "aws"}`;
}

/** Undefined without an archive. Throws a `ConfigError` without credentials. */
export function bucketSettings(options: Options, environment: Environment): BucketSettings | undefined {
  const { archive, archiveEndpoint: endpoint, archiveRegion: region, archiveCredentialsFile: file } = options;
  if (archive === undefined && options.acknowledge === "archived")
    throw new ConfigError("--acknowledge archived needs --archive");
  if (archive === undefined) return undefined;
  const found = file === undefined ? environment : readCredentials(file);
  const accessKeyId = found["AWS_ACCESS_KEY_ID"];
  const secretAccessKey = found["AWS_SECRET_ACCESS_KEY"];
  if (!accessKeyId || !secretAccessKey) {
    const where = file ?? "the environment";
    throw new ConfigError(`--archive needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in ${where}`);
  }
  const sessionToken = found["AWS_SESSION_TOKEN"] || undefined;
  return { ...archive, endpoint, region, accessKeyId, secretAccessKey, sessionToken };
}

/** Lines such as `AWS_ACCESS_KEY_ID=x`, or those of AWS's own file, whose first profile counts. */
function readCredentials(path: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const line of textOf(path).split("\n")) {
    const [, name, value] = /^\s*(\w+)\s*=\s*(\S+)\s*$/.exec(line) ?? [];
    if (name !== undefined) found[name.toUpperCase()] ??= value!;
  }
  return found;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new ConfigError(`--archive-credentials-file: ${toWavecacheError(error).message}`);
  }
}
