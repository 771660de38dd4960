import { expect, test } from "bun:test";
import { udpTokenMs } from "../../base/limits/songs.ts";
import { AddressTokens } from "./tokens.ts";

test("a token is valid only for its address, port, transfer and server, for a limited time and until the transfer moves", () => {
  const tokens = new AddressTokens();
  const peer = { address: "10.0.0.1", port: 5000 };
  const transfer = { id: 7n, moves: 0 };
  const token = tokens.issue(peer, transfer, 1000);
  expect(token).toHaveLength(20);
  expect(tokens.isValid(token, peer, transfer, 1000)).toBe(true);
  expect(tokens.isValid(token, peer, transfer, 1000 + udpTokenMs)).toBe(true);
  expect(tokens.isValid(token, peer, transfer, 1000 + 2 * udpTokenMs)).toBe(false);
  expect(tokens.isValid(token, peer, { ...transfer, id: 8n }, 1000)).toBe(false);
  expect(tokens.isValid(token, peer, { ...transfer, moves: 1 }, 1000)).toBe(false);
  expect(tokens.isValid(token, { ...peer, port: 5001 }, transfer, 1000)).toBe(false);
  expect(tokens.isValid(token, { ...peer, address: "10.0.0.2" }, transfer, 1000)).toBe(false);
  expect(new AddressTokens().isValid(token, peer, transfer, 1000)).toBe(false);
  expect(tokens.isValid(new Uint8Array(20), peer, transfer, 1000)).toBe(false);
});
