/** The keeper thread: the catalog, commits and removals. */
import { errorNumber, toWavecacheError, WavecacheError } from "../src/base/errors.ts";
import type { KeeperCondition, KeeperNotice, KeeperReply, KeeperRequest } from "../src/store/keeper-calls.ts";
import { type Answer, Keeper } from "../src/store/keeper.ts";
import { Syncer } from "./jobs/syncer.ts";

declare const self: {
  onmessage: ((event: { data: unknown }) => void) | null;
  postMessage(message: KeeperReply | KeeperNotice | KeeperCondition): void;
};

const syncer = new Syncer();
let keeper: Keeper | undefined;
let inbox: KeeperRequest[] = [];

self.onmessage = (event) => {
  const request = event.data as KeeperRequest;
  if (request.call === "open") open(request as KeeperRequest<"open">);
  else if (request.call === "close") void close(request);
  else enqueue(request);
};

function open(request: KeeperRequest<"open">): void {
  try {
    keeper = new Keeper(request.args, {
      syncFileSystem: (folder) => syncer.sync(folder),
      reply,
      notify: (notice) => self.postMessage({ notice }),
      report: (condition) => self.postMessage({ condition }),
    });
    reply(request.serial, { result: keeper.open(request.args.at) });
  } catch (error) {
    reply(request.serial, { error: toWavecacheError(error) });
  }
}

/** Handles all requests of one turn of the event loop together: one transaction, one group commit. */
function enqueue(request: KeeperRequest): void {
  if (inbox.length === 0) setImmediate(handleInbox);
  inbox.push(request);
}

function handleInbox(): void {
  const requests = inbox;
  inbox = [];
  if (keeper !== undefined) keeper.handle(requests);
  else for (const { serial } of requests) reply(serial, { error: new WavecacheError("STARTING") });
}

async function close(request: KeeperRequest): Promise<void> {
  handleInbox();
  await keeper?.close();
  syncer.close();
  reply(request.serial, { result: null });
  self.onmessage = null;
}

function reply(serial: number, answer: Answer): void {
  self.postMessage(
    "error" in answer
      ? {
          serial,
          errorNumber: errorNumber(answer.error.code),
          detail: answer.error.detail ?? "",
          result: null,
        }
      : { serial, errorNumber: 0, detail: "", result: answer.result },
  );
}
