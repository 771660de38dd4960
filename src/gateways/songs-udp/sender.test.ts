import { describe, expect, test } from "bun:test";
import { type BatchSocket, Sender } from "./sender.ts";

const peer = { address: "127.0.0.1", port: 9 };
const batch = Array.from({ length: 8 }, () => new Uint8Array(4));

/** A socket with scripted answers: a number of accepted datagrams, or an error. Then it accepts everything. */
function socket(...answers: (number | string)[]): { socket: BatchSocket; calls: () => number } {
  let calls = 0;
  const sendMany = (packets: readonly unknown[]): number => {
    const answer = answers[calls++] ?? packets.length / 3;
    if (typeof answer === "number") return Math.min(answer, packets.length / 3);
    throw Object.assign(new Error(answer), { code: answer });
  };
  return { socket: { sendMany }, calls: () => calls };
}

describe("a batch", () => {
  test("goes out whole despite errors of datagrams to other clients", () => {
    const { socket: others, calls } = socket("ECONNREFUSED", 3, "EHOSTUNREACH", 2, "ECONNREFUSED");
    expect(new Sender(others).send(peer, batch)).toEqual({ count: 8, state: "sent" });
    expect(calls()).toBe(6);
  });

  test("stops when the kernel accepts no more", () => {
    expect(new Sender(socket(3, 0).socket).send(peer, batch)).toEqual({ count: 3, state: "full" });
    expect(new Sender(socket(3, "EAGAIN").socket).send(peer, batch)).toEqual({ count: 3, state: "full" });
  });

  test("that stops after each datagram means that the client is gone", () => {
    expect(new Sender(socket(1, 1, 1, 1, 1).socket).send(peer, batch)).toEqual({ count: 5, state: "gone" });
    expect(new Sender(socket(1, 1, 1, 1, 2, 1).socket).send(peer, batch)).toMatchObject({ state: "sent" });
  });

  test("that meets only errors throws", () => {
    const errors = Array.from({ length: 50 }, () => "ENETUNREACH");
    expect(() => new Sender(socket(...errors).socket).send(peer, batch)).toThrow("ENETUNREACH");
    expect(() => new Sender(socket("EACCES").socket).send(peer, batch)).toThrow("EACCES");
  });
});
