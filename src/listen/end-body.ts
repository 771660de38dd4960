/** What happens to the rest of a body that the server refuses. */
import { maxDiscardedBodyBytes } from "../base/limits/upload-http.ts";

/**
 * Lets the connection end after this answer, unless the rest of the body is short: Bun discards it, and a client that
 * reads only after it has sent everything still gets the answer. A live source would go on for ever.
 */
export function endBody(answer: Response, { headers, body }: Pick<Request, "headers" | "body">): Response {
  const length = headers.get("content-length");
  const isShort = length !== null && Number(length) <= maxDiscardedBodyBytes;
  if (body !== null && !isShort) answer.headers.set("connection", "close");
  return answer;
}
