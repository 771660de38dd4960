import { afterEach, beforeEach, describe, expect, setSystemTime, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { exportJWK, exportSPKI, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";
import { toWavecacheError } from "../base/errors.ts";
import { jwtSkewSeconds } from "../base/limits/access.ts";
import type { Log } from "../base/log/log.ts";
import { temporaryFolder } from "../testing/fixtures/temporary-folder.ts";
import { Jwts, type JwtSettings } from "./jwt.ts";

const issuer = "https://login.example";
const audience = "wavecache";
const good: JWTPayload = { sub: "anna", iss: issuer, aud: audience, wavecache: ["read:streams/a", "list"] };
/** Past the time in which a key set is not fetched again, whatever keys are missing. */
const cooldownMs = 31_000;

const none = () => {};
const log: Log = { debug: none, info: none, warn: none, error: none };

interface Key {
  kid: string;
  alg: string;
  privateKey: CryptoKey;
  publicKey: CryptoKey;
  jwk: JWK;
}

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => {
  setSystemTime();
  folder[Symbol.dispose]();
});

async function newKey(alg: string, kid: string): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" } };
}

const seconds = () => Math.floor(Date.now() / 1000);

function sign({ alg, kid, privateKey }: Key, claims: JWTPayload = {}): Promise<string> {
  const payload = { ...good, exp: seconds() + 60, ...claims };
  return new SignJWT(payload).setProtectedHeader({ alg, kid }).sign(privateKey);
}

function keySet(...keys: Key[]): string {
  return JSON.stringify({ keys: keys.map(({ jwk }) => jwk) });
}

function file(name: string, text: string): string {
  const path = join(folder.path, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

async function open(settings: Partial<JwtSettings>): Promise<Jwts> {
  const jwts = await Jwts.open(
    { secretFile: undefined, jwks: undefined, issuer, audience, ...settings },
    log,
  );
  return jwts!;
}

/** The subject, or the code of the refusal. */
async function verify(jwts: Jwts, text: string): Promise<string> {
  try {
    return (await jwts.verify(text)).subject;
  } catch (error) {
    return toWavecacheError(error).code;
  }
}

/** The code of the refusal to start. */
async function opened(settings: Partial<JwtSettings>): Promise<string> {
  try {
    await open(settings);
    return "opened";
  } catch (error) {
    return toWavecacheError(error).code;
  }
}

const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A server of key sets, which counts its requests. */
function keyServer(answer: () => Response) {
  let requests = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () => {
      requests += 1;
      return answer();
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/jwks.json`,
    requests: () => requests,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

describe("a JWT of a key set", () => {
  test.each(["RS256", "PS256", "ES256", "EdDSA"])("that is signed with %s has its grants", async (alg) => {
    const key = await newKey(alg, "k1");
    const jwts = await open({ jwks: file("jwks.json", keySet(key)) });
    const { subject, grants, expiresAt } = await jwts.verify(await sign(key, { exp: 2_000_000_000 }));
    expect([subject, grants.toString()]).toEqual(["anna", "read:streams/a list"]);
    expect(expiresAt).toBe((2_000_000_000 + jwtSkewSeconds) * 1000);
  });

  test("of a URL is verified, and the keys are fetched once", async () => {
    const key = await newKey("ES256", "k1");
    await using server = keyServer(() => new Response(keySet(key)));
    const jwts = await open({ jwks: server.url });
    expect(await verify(jwts, await sign(key))).toBe("anna");
    expect(await verify(jwts, await sign(key, { sub: "ben" }))).toBe("ben");
    expect(server.requests()).toBe(1);
  });

  test("is verified with a new key once the issuer has rotated it, and refused with the old one", async () => {
    const [old, next] = [await newKey("RS256", "old"), await newKey("RS256", "next")];
    let current = old;
    await using server = keyServer(() => new Response(keySet(current)));
    const jwts = await open({ jwks: server.url });
    expect(await verify(jwts, await sign(old))).toBe("anna");
    current = next;
    // Unknown keys of anybody must not become requests to the issuer.
    expect(await verify(jwts, await sign(next))).toBe("UNAUTHENTICATED");
    expect(server.requests()).toBe(1);
    setSystemTime(new Date(Date.now() + cooldownMs));
    expect(await verify(jwts, await sign(next))).toBe("anna");
    expect(await verify(jwts, await sign(old))).toBe("UNAUTHENTICATED");
    expect(server.requests()).toBe(2);
  });

  test("is refused while the key set cannot be had, and accepted after that", async () => {
    const key = await newKey("ES256", "k1");
    let isDown = true;
    await using server = keyServer(
      () => new Response(isDown ? "" : keySet(key), { status: isDown ? 503 : 200 }),
    );
    const jwts = await open({ jwks: server.url });
    expect(await verify(jwts, await sign(key))).toBe("UNAUTHENTICATED");
    isDown = false;
    setSystemTime(new Date(Date.now() + cooldownMs));
    expect(await verify(jwts, await sign(key))).toBe("anna");
  });

  test("of another key with the same id is refused", async () => {
    const [key, forged] = [await newKey("ES256", "k1"), await newKey("ES256", "k1")];
    const jwts = await open({ jwks: file("jwks.json", keySet(key)) });
    expect(await verify(jwts, await sign(forged))).toBe("UNAUTHENTICATED");
  });

  const wrong: [string, JWTPayload][] = [
    ["another issuer", { iss: "https://evil.example" }],
    ["no issuer", { iss: undefined }],
    ["another audience", { aud: "others" }],
    ["no audience", { aud: undefined }],
    ["no expiry", { exp: undefined }],
    ["an expiry before the skew", { exp: seconds() - jwtSkewSeconds - 5 }],
    ["a begin after the skew", { nbf: seconds() + jwtSkewSeconds + 30 }],
    ["grants that cannot be read", { wavecache: "fly:streams/a" }],
  ];
  test.each(wrong)("with %s is refused", async (_what, claims) => {
    const key = await newKey("ES256", "k1");
    const jwts = await open({ jwks: file("jwks.json", keySet(key)) });
    expect(await verify(jwts, await sign(key))).toBe("anna");
    expect(await verify(jwts, await sign(key, claims))).toBe("UNAUTHENTICATED");
  });

  test("counts within the skew of the clocks", async () => {
    const key = await newKey("ES256", "k1");
    const jwts = await open({ jwks: file("jwks.json", keySet(key)) });
    const now = seconds();
    expect(await verify(jwts, await sign(key, { exp: now - jwtSkewSeconds + 30 }))).toBe("anna");
    expect(await verify(jwts, await sign(key, { nbf: now + jwtSkewSeconds - 30 }))).toBe("anna");
  });

  test("without grants may do nothing", async () => {
    const key = await newKey("ES256", "k1");
    const jwts = await open({ jwks: file("jwks.json", keySet(key)) });
    const { grants } = await jwts.verify(await sign(key, { wavecache: undefined }));
    expect(grants.allows("read", "streams/a", "127.0.0.1")).toBe(false);
  });
});

describe("a forged JWT is refused", () => {
  test("that is signed by HS256 with the public key as secret, in each of its forms", async () => {
    const key = await newKey("RS256", "k1");
    const set = keySet(key);
    const jwts = await open({ jwks: file("jwks.json", set) });
    const forms = [set, await exportSPKI(key.publicKey), JSON.stringify(key.jwk), key.jwk.n!];
    for (const secret of forms) {
      const forged = new SignJWT({ ...good, exp: seconds() + 60 })
        .setProtectedHeader({ alg: "HS256", kid: "k1" })
        .sign(new TextEncoder().encode(secret));
      expect(await verify(jwts, await forged)).toBe("UNAUTHENTICATED");
    }
  });

  test("by HS256 even if the key set has a secret in it", async () => {
    const secret = Buffer.alloc(32, 7);
    const jwk = { kty: "oct", k: secret.toString("base64url"), kid: "k1", alg: "HS256" };
    const jwts = await open({ jwks: file("jwks.json", JSON.stringify({ keys: [jwk] })) });
    const signer = new SignJWT({ ...good, exp: seconds() + 60 });
    const text = await signer.setProtectedHeader({ alg: "HS256", kid: "k1" }).sign(secret);
    expect(await verify(jwts, text)).toBe("UNAUTHENTICATED");
  });

  test.each(["none", "None", "NONE", ""])('that says its algorithm is "%s"', async (alg) => {
    const key = await newKey("ES256", "k1");
    const jwts = await open({ jwks: file("jwks.json", keySet(key)) });
    const [, payload, signature] = (await sign(key)).split(".");
    const header = base64url({ alg, kid: "k1" });
    for (const end of ["", signature!, "AA"])
      expect(await verify(jwts, `${header}.${payload}.${end}`)).toBe("UNAUTHENTICATED");
  });

  test("that brings its own key", async () => {
    const [key, own] = [await newKey("ES256", "k1"), await newKey("ES256", "own")];
    await using evil = keyServer(() => new Response(keySet(own)));
    const jwts = await open({ jwks: file("jwks.json", keySet(key)) });
    for (const kid of ["k1", "own"]) {
      const header = { alg: "ES256", kid, jwk: own.jwk, jku: evil.url };
      const signer = new SignJWT({ ...good, exp: seconds() + 60 }).setProtectedHeader(header);
      expect(await verify(jwts, await signer.sign(own.privateKey))).toBe("UNAUTHENTICATED");
    }
    expect(evil.requests()).toBe(0);
  });

  test("whose claims were changed after it was signed", async () => {
    const key = await newKey("ES256", "k1");
    const jwts = await open({ jwks: file("jwks.json", keySet(key)) });
    const [header, , signature] = (await sign(key)).split(".");
    const payload = base64url({ ...good, exp: seconds() + 60, wavecache: "*" });
    expect(await verify(jwts, `${header}.${payload}.${signature}`)).toBe("UNAUTHENTICATED");
  });
});

describe("a shared secret", () => {
  const secret = "a secret of more than thirty-two bytes";

  test("verifies HS256, and nothing that a key pair has signed", async () => {
    const key = await newKey("RS256", "k1");
    const jwts = await open({ secretFile: file("secret", `${secret}\n`) });
    const signer = new SignJWT({ ...good, exp: seconds() + 60 }).setProtectedHeader({ alg: "HS256" });
    expect(await verify(jwts, await signer.sign(new TextEncoder().encode(secret)))).toBe("anna");
    expect(await verify(jwts, await signer.sign(new TextEncoder().encode(`${secret}!`)))).toBe(
      "UNAUTHENTICATED",
    );
    expect(await verify(jwts, await sign(key))).toBe("UNAUTHENTICATED");
  });

  test("that is short, or a key set that is none, refuses the start", async () => {
    expect(await opened({ secretFile: file("short", "too short") })).toBe("CREDENTIALS_UNUSABLE");
    expect(await opened({ jwks: file("not.json", "not JSON") })).toBe("CREDENTIALS_UNUSABLE");
    expect(await opened({ jwks: file("no-keys.json", "{}") })).toBe("CREDENTIALS_UNUSABLE");
    expect(await opened({ jwks: join(folder.path, "missing.json") })).toBe("CREDENTIALS_UNUSABLE");
  });
});

describe("the verifier", () => {
  const secret = "s".repeat(40);

  test("is the same for the same keys and claims, and another one for others", async () => {
    const same = { secretFile: file("one", secret) };
    const other = { secretFile: file("two", `${secret}x`) };
    const { verifier } = await open(same);
    expect((await open(same)).verifier).toBe(verifier);
    expect((await open(other)).verifier).not.toBe(verifier);
    expect((await open({ ...same, audience: "elsewhere" })).verifier).not.toBe(verifier);
    const key = await newKey("ES256", "k1");
    expect((await open({ jwks: file("jwks", keySet(key)) })).verifier).not.toBe(verifier);
    expect(verifier).not.toContain(secret);
  });
});
