/** The values of the options of the archive. */
import * as v from "valibot";

const urlExpected = "an address such as s3://bucket or s3://bucket/prefix";
const urlPattern =
  /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*))?\/?$/;

/** `s3://bucket/prefix`; undefined for an empty text. */
export const archiveUrl = v.pipe(
  v.string(urlExpected),
  v.check((given) => given === "" || urlPattern.test(given), urlExpected),
  v.transform((given) => {
    const [, bucket, path] = urlPattern.exec(given) ?? [];
    if (bucket === undefined) return undefined;
    return { bucket, prefix: path === undefined ? "" : `${path}/` };
  }),
);

const endpointExpected = "an address without a path, such as https://minio.example:9000";

/** Undefined for an empty text, which is AWS. */
export const archiveEndpoint = v.pipe(
  v.string(endpointExpected),
  v.check((given) => given === "" || isEndpoint(given), endpointExpected),
  v.transform((given) => (given === "" ? undefined : given.replace(/\/$/, ""))),
);

function isEndpoint(given: string): boolean {
  if (!URL.canParse(given)) return false;
  const { protocol, username, password, pathname, search, hash } = new URL(given);
  return /^https?:$/.test(protocol) && `${username}${password}${search}${hash}` === "" && pathname === "/";
}
