import { expect, test } from "bun:test";
import { Links } from "../../access/links.ts";
import { newTokenText } from "../../access/token-text.ts";
import { redact } from "./redact.ts";

const token = newTokenText();
const link = new Links([Buffer.alloc(32, 7)]).sign({
  resource: "streams/a",
  expires: 2_000_000_000,
  issuer: "t1",
});
const pem = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIA==\n-----END EC PRIVATE KEY-----";

test.each([
  ["a token", `token ${token}`, "token wc_..."],
  ["a token in a path", `/x%3Ftoken%3D${token}`, "/x%3Ftoken%3Dwc_..."],
  ["a token as a subprotocol", `token.${Buffer.from(token).toString("base64url")}`, "token...."],
  ["a signed link", `link ${link} of a`, "link ... of a"],
  ["a JWT", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl end", "eyJ... end"],
  ["a secret of webhooks", `whsec_${"a1+/".repeat(8)}=`, "whsec_..."],
  ["a password in a URL", "mqtts://user:pass@broker:8883/x", "mqtts://...broker:8883/x"],
  ["a parameter", "http://h/a?x=1&token=abc&y=2", "http://h/a?x=1&token=...&y=2"],
  ["a header", "Authorization: Bearer abcdefgh.ijk", "Authorization: Bearer ..."],
  ["a private key", `key ${pem} end`, "key -----BEGIN EC PRIVATE KEY-----... end"],
])("a diagnosis hides %s", (_, text, shown) => {
  expect(redact(text)).toBe(shown);
});

test("a diagnosis leaves other text as it is", () => {
  const text = [
    '{"@timestamp":"2026-01-31T09:05:00.000Z","message":"store open","fields":{"requestId":"1a2b3c-z"}}',
    'wavecache_errors_total{door="api",code="TOKEN_LIMIT_REACHED"} 3',
    'host = "127.0.0.1"  # default',
    `sha256 ${"0123456789abcdef".repeat(4)}`,
  ].join("\n");
  expect(redact(text)).toBe(text);
});
