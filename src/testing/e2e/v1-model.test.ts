/**
 * One connection of protocol v1 against a model that is a map: random opens, writes, cuts, resumes, reads and removals
 * in any order. After each operation the server must agree with the model.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import { Random, sha256 } from "../harness/bytes.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";
import { plain, V1Peer } from "../harness/peers/v1.ts";

useServers();

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
});
afterAll(() => server.dispose());

/** Every stream is a part of this, starting at its own offset. */
const noise = new Random(23).bytes(600_000);
const maxBytes = 200_000;
const names = ["a", "b", "c"] as const;
type Name = (typeof names)[number];

interface Stream {
  /** The stream's bytes: after a cut between `minSize` and `size`, until the next answer tells. */
  size: number;
  minSize: number;
  isFinished: boolean;
}

interface Model {
  streams: Map<Name, Stream>;
  /** Channels with an upload. */
  writing: Map<Name, number>;
}

class Real {
  peer: V1Peer;
  readonly run: string;
  #lastChannel = 0;

  constructor(peer: V1Peer, run: string) {
    this.peer = peer;
    this.run = run;
  }

  id(name: Name): string {
    return `${this.run}-${name}`;
  }

  channel(): number {
    this.#lastChannel += 1;
    return this.#lastChannel;
  }

  /** The content that the stream of this name has or would have. */
  audio(name: Name, size: number): Uint8Array {
    const from = names.indexOf(name) * maxBytes;
    return noise.subarray(from, from + size);
  }
}

abstract class Step implements fc.AsyncCommand<Model, Real> {
  readonly name: Name;

  constructor(name: Name) {
    this.name = name;
  }

  check(_model: Readonly<Model>): boolean {
    return true;
  }

  abstract run(model: Model, real: Real): Promise<void>;

  toString(): string {
    return `${this.constructor.name}(${Object.values(this).join(", ")})`;
  }
}

class Create extends Step {
  async run({ streams, writing }: Model, real: Real): Promise<void> {
    const channel = real.channel();
    real.peer.create(channel, real.id(this.name));
    if (streams.has(this.name)) return expect(await real.peer.errorOn(channel)).toBe("STREAM_EXISTS");
    await real.peer.expect(channel, "OPENED");
    streams.set(this.name, { size: 0, minSize: 0, isFinished: false });
    writing.set(this.name, channel);
  }
}

class Write extends Step {
  readonly bytes: number;

  constructor(name: Name, bytes: number) {
    super(name);
    this.bytes = bytes;
  }

  override check({ writing }: Readonly<Model>): boolean {
    return writing.has(this.name);
  }

  async run({ streams, writing }: Model, real: Real): Promise<void> {
    const stream = streams.get(this.name)!;
    const before = stream.size;
    stream.size = Math.min(maxBytes, before + this.bytes);
    const audio = real.audio(this.name, stream.size);
    await real.peer.write(writing.get(this.name)!, audio, before);
  }
}

/** DATA at a wrong offset, or with a wrong checksum. */
class WriteWrong extends Step {
  readonly isOffset: boolean;

  constructor(name: Name, isOffset: boolean) {
    super(name);
    this.isOffset = isOffset;
  }

  override check({ writing }: Readonly<Model>): boolean {
    return writing.has(this.name);
  }

  async run({ streams, writing }: Model, real: Real): Promise<void> {
    const { size } = streams.get(this.name)!;
    const channel = writing.get(this.name)!;
    const piece = noise.subarray(0, 100);
    if (this.isOffset) real.peer.data(channel, size + 1, piece);
    else real.peer.data(channel, size, piece, 1);
    expect(await real.peer.errorOn(channel)).toBe(this.isOffset ? "OFFSET_WRONG" : "CHECKSUM_WRONG");
    writing.delete(this.name);
  }
}

class Resume extends Step {
  async run({ streams, writing }: Model, real: Real): Promise<void> {
    const channel = real.channel();
    const streamId = real.id(this.name);
    real.peer.send({ type: "WRITE", channel, streamId, mode: "resume", metadata: plain });
    const opened = await real.peer.expect(channel, "OPENED");
    const former = writing.get(this.name);
    const stream = streams.get(this.name) ?? { size: 0, minSize: 0, isFinished: false };
    if (stream.isFinished) {
      expect(opened).toMatchObject({ offset: stream.size, size: stream.size });
      const { sha256: digest } = await real.peer.finish(channel, stream.size);
      return expect(digest).toBe(sha256(real.audio(this.name, stream.size)));
    }
    if (former !== undefined) expect(await real.peer.errorOn(former)).toBe("STREAM_TAKEN_OVER");
    expect(opened.offset).toBeGreaterThanOrEqual(stream.minSize);
    expect(opened.offset).toBeLessThanOrEqual(stream.size);
    streams.set(this.name, { size: opened.offset, minSize: opened.offset, isFinished: false });
    writing.set(this.name, channel);
  }
}

class Finish extends Step {
  override check({ writing }: Readonly<Model>): boolean {
    return writing.has(this.name);
  }

  async run({ streams, writing }: Model, real: Real): Promise<void> {
    const stream = streams.get(this.name)!;
    const end = await real.peer.finish(writing.get(this.name)!, stream.size);
    const digest = sha256(real.audio(this.name, stream.size));
    expect(end).toMatchObject({ outcome: "finished", size: stream.size, sha256: digest });
    stream.isFinished = true;
    stream.minSize = stream.size;
    writing.delete(this.name);
  }
}

class Close extends Step {
  readonly discard: boolean;

  constructor(name: Name, discard: boolean) {
    super(name);
    this.discard = discard;
  }

  override check({ writing }: Readonly<Model>): boolean {
    return writing.has(this.name);
  }

  async run({ streams, writing }: Model, real: Real): Promise<void> {
    const channel = writing.get(this.name)!;
    const stream = streams.get(this.name)!;
    real.peer.send({ type: "CLOSE", channel, discard: this.discard });
    const end = await real.peer.lastWord(channel);
    writing.delete(this.name);
    if (this.discard) {
      streams.delete(this.name);
      return expect(end).toMatchObject({ type: "END", outcome: "removed" });
    }
    // Every byte received before is kept.
    expect(end).toMatchObject({ type: "END", outcome: "unfinished", size: stream.size });
    stream.minSize = stream.size;
  }
}

class Read extends Step {
  readonly offset: number;
  readonly length: number | undefined;

  constructor(name: Name, offset: number, length: number | undefined) {
    super(name);
    this.offset = offset;
    this.length = length;
  }

  async run({ streams }: Model, real: Real): Promise<void> {
    const channel = real.channel();
    const streamId = real.id(this.name);
    const stream = streams.get(this.name);
    const { offset, length } = this;
    real.peer.send({ type: "READ", channel, streamId, offset, length });
    if (stream === undefined) return expect(await real.peer.errorOn(channel)).toBe("STREAM_UNKNOWN");
    if (offset > stream.size) return expect(await real.peer.errorOn(channel)).toBe("NO_DATA");
    // After a cut the size is unknown until the server answers.
    if (offset > stream.minSize) return void (await real.peer.lastWord(channel));
    const { audio, end } = await real.peer.collect(channel);
    expect(end.outcome).toBe(stream.isFinished ? "finished" : "unfinished");
    expect(end.size).toBeGreaterThanOrEqual(stream.minSize);
    expect(end.size).toBeLessThanOrEqual(stream.size);
    const wanted = real.audio(this.name, end.size).subarray(offset, offset + (length ?? end.size));
    expect(Buffer.compare(audio, wanted)).toBe(0);
  }
}

class Remove extends Step {
  async run({ streams, writing }: Model, real: Real): Promise<void> {
    const streamId = real.id(this.name);
    const ask = async () => {
      const channel = real.channel();
      real.peer.send({ type: "REMOVE", channel, streamId });
      const word = await real.peer.lastWord(channel);
      return word.type === "ERROR" ? word.code : word.type;
    };
    if (writing.has(this.name)) return expect(await ask()).toBe("STREAM_UNFINISHED");
    if (!streams.has(this.name)) return expect(await ask()).toBe("STREAM_UNKNOWN");
    // The streams of a cut connection stay in use until the server notices the cut.
    await until("the stream to be removed", 5000, async () => (await ask()) === "END");
    streams.delete(this.name);
  }
}

class Cut extends Step {
  async run({ streams, writing }: Model, real: Real): Promise<void> {
    for (const [name, channel] of writing) streams.get(name)!.minSize = real.peer.acked(channel).written;
    writing.clear();
    real.peer.socket.reset();
    real.peer = await V1Peer.open(server.url);
  }
}

class List extends Step {
  async run({ streams }: Model, real: Real): Promise<void> {
    const channel = real.channel();
    real.peer.send({ type: "LIST", channel, filter: "all", after: `${real.run}-`, limit: names.length });
    const page = await real.peer.expect(channel, "STREAMS");
    const mine = page.streams.filter(({ streamId }) => streamId.startsWith(`${real.run}-`));
    const wanted = [...streams].toSorted(([one], [other]) => (one < other ? -1 : 1));
    expect(mine.map(({ streamId, state }) => [streamId, state])).toEqual(
      wanted.map(([name, { isFinished }]) => [real.id(name), isFinished ? "finished" : "unfinished"]),
    );
  }
}

const name = fc.constantFrom(...names);
const size = fc.integer({ min: 1, max: 120_000 });
/** Weighted: most operations must leave something to cut. */
const steps = [
  name.map((it) => new Create(it)),
  name.map((it) => new Create(it)),
  name.map((it) => new Resume(it)),
  fc.tuple(name, size).map(([it, bytes]) => new Write(it, bytes)),
  fc.tuple(name, size).map(([it, bytes]) => new Write(it, bytes)),
  fc.tuple(name, size).map(([it, bytes]) => new Write(it, bytes)),
  fc.tuple(name, size).map(([it, bytes]) => new Write(it, bytes)),
  fc.tuple(name, size).map(([it, bytes]) => new Write(it, bytes)),
  fc.tuple(name, size).map(([it, bytes]) => new Write(it, bytes)),
  fc.tuple(name, fc.boolean()).map(([it, isOffset]) => new WriteWrong(it, isOffset)),
  name.map((it) => new Finish(it)),
  name.map((it) => new Finish(it)),
  fc.tuple(name, fc.boolean()).map(([it, discard]) => new Close(it, discard)),
  fc
    .tuple(name, fc.integer({ min: 0, max: maxBytes + 10 }), fc.option(size, { nil: undefined }))
    .map(([it, offset, length]) => new Read(it, offset, length)),
  name.map((it) => new Remove(it)),
  name.map((it) => new Cut(it)),
  name.map((it) => new List(it)),
];

let runs = 0;

test("a connection behaves like the model for any sequence of operations", async () => {
  await fc.assert(
    fc.asyncProperty(fc.commands(steps, { maxCommands: 40, size: "+1" }), async (commands) => {
      runs += 1;
      const real = new Real(await V1Peer.open(server.url), `model${runs}`);
      const model: Model = { streams: new Map(), writing: new Map() };
      try {
        await fc.asyncModelRun(() => ({ model, real }), commands);
      } finally {
        real.peer[Symbol.dispose]();
      }
    }),
    { numRuns: 150 },
  );
}, 60_000);
