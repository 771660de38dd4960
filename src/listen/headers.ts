/** Headers that every HTTP answer has, and those that let pages of allowed origins read it (CORS). */

const embedding = "frame-ancestors 'none'";
/** Of answers that are no page. Chromium plays audio that a user opens in a tab only with the media source. */
const policyWithoutPage = "default-src 'none'; media-src 'self'";

/** The id of the request in the log of the server, in its answer. */
export const requestIdHeader = "x-request-id";

/**
 * Sets the headers of an answer. The browser then guesses no content type, shows no answer in a frame, runs no code
 * in what is no page, and gives other sites no image, sound or script. `allowedOrigin` may read the answer.
 */
export function withHeaders(
  response: Response,
  allowedOrigin: string | undefined,
  requestId: string,
): Response {
  const { headers } = response;
  headers.set(requestIdHeader, requestId);
  const policy = headers.get("content-security-policy") ?? policyWithoutPage;
  headers.set("content-security-policy", `${policy}; ${embedding}`);
  headers.set("x-content-type-options", "nosniff");
  headers.set("cross-origin-resource-policy", "same-origin");
  if (allowedOrigin === undefined) return response;
  headers.set("access-control-allow-origin", allowedOrigin);
  headers.set("access-control-expose-headers", "*");
  headers.append("vary", "Origin");
  return response;
}

/**
 * Which credentials a refused request may come with (RFC 9110, section 11.6.1). Browsers ask the user for a name and a
 * password where Basic is offered, which is of no use to a script.
 */
export function challengeFor(headers: Headers): string {
  const bearer = `Bearer realm="wavecache"`;
  const mode = headers.get("sec-fetch-mode");
  return mode === null || mode === "navigate" ? `Basic realm="wavecache", ${bearer}` : bearer;
}

/** Whether a browser asks if a page of another origin may send a request (Fetch standard, CORS preflight). */
export function isPreflight({ method, headers }: Request): boolean {
  return method === "OPTIONS" && headers.has("access-control-request-method");
}

/** The answer to a preflight request of an allowed origin. */
export function preflightResponse(): Response {
  return new Response(null, {
    status: 204,
    headers: {
      "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
      // The wildcard does not cover Authorization.
      "access-control-allow-headers": "*, Authorization",
      "access-control-max-age": "600",
    },
  });
}
