/** The client's credential: a token or a JWT, in a header, or in the address where only that can be set. */

const inAddress = /([?&](?:token|link)=)([^&#]*)/;

/** Headers of a request with this token. */
export function authorization(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

/** The token in an address; undefined if there is none. */
export function tokenIn(url: string): string | undefined {
  const [, name, value] = inAddress.exec(url) ?? [];
  return name?.endsWith("token=") === true && value !== undefined && value !== ""
    ? decodeURIComponent(value)
    : undefined;
}

/** An address as people may see it: without its credential. */
export function shownUrl(url: string): string {
  return url.replace(new RegExp(inAddress, "g"), "$1***");
}
