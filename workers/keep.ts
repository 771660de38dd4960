/** The keeper thread: the catalog, commits and removals. */
import { type ErrorCode, errorNumber, toWavecacheError, WavecacheError } from "../src/base/errors.ts";
import type {
  Answer,
  KeeperChange,
  KeeperClock,
  KeeperCondition,
  KeeperEvents,
  KeeperNotice,
  KeeperReply,
  KeeperRequest,
  KeeperResult,
  OpenArgs,
} from "../src/store/keeper-calls.ts";
import { Keeper } from "../src/store/keeper.ts";
import { conditionOf } from "../src/store/store-guard.ts";
import { Syncer } from "./jobs/syncer.ts";

declare const self: {
  onmessage: ((event: { data: unknown }) => void) | null;
  postMessage(
    message: KeeperReply | KeeperNotice | KeeperCondition | KeeperEvents | KeeperChange | KeeperClock,
  ): void;
};

const syncer = new Syncer();
let keeper: Keeper | undefined;
/** A keeper whose catalog is not saved yet. */
let failed: Keeper | undefined;
let inbox: KeeperRequest[] = [];
/** What calls get while there is no keeper. */
let absence: ErrorCode = "STARTING";
let reopening: Timer | undefined;
/** The catalog is opened again this long after a fault of the disk, and again after each failure of that. */
const reopenMs = 1_000;

self.onmessage = (event) => {
  const request = event.data as KeeperRequest;
  if (request.call === "open") open(request as KeeperRequest<"open">);
  else if (request.call === "close") void close(request);
  else enqueue(request);
};

function open(request: KeeperRequest<"open">): void {
  try {
    reply(request.serial, { result: openKeeper(request.args) });
  } catch (error) {
    reply(request.serial, { error: toWavecacheError(error) });
  }
}

function openKeeper(args: OpenArgs): KeeperResult<"open"> {
  const opened = new Keeper(args, {
    syncFileSystem: (folder) => syncer.sync(folder),
    reply,
    notify: (notice) => self.postMessage({ notice }),
    announce: (newestEvent) => self.postMessage({ newestEvent }),
    clockDiffers: (clockAheadMs) => self.postMessage({ clockAheadMs }),
    changed: (changed) => self.postMessage({ changed }),
    report: (condition) => self.postMessage({ condition }),
    failed: (error) => reopenLater(args, error),
  });
  try {
    const result = opened.open(args);
    keeper = opened;
    return result;
  } catch (error) {
    failed = opened;
    throw error;
  }
}

/** Only a fault of the disk leaves doubt about files: a PostgreSQL catalog knows nothing of the syncs of this disk. */
function reopenLater(args: OpenArgs, error: WavecacheError): void {
  const { code } = conditionOf(error);
  absence = code;
  const afterFault = args.afterFault || code === "STORE_FAILED";
  clearTimeout(reopening);
  reopening = setTimeout(() => void reopen({ ...args, afterFault }), reopenMs);
}

/** Saves the catalog of the failed keeper, and opens it in a new one. */
async function reopen(args: OpenArgs): Promise<void> {
  try {
    failed ??= keeper;
    keeper = undefined;
    await failed?.abandon();
    failed = undefined;
    openKeeper({ ...args, isReopened: true, at: Date.now() });
  } catch (error) {
    const fault = toWavecacheError(error);
    self.postMessage({ condition: conditionOf(fault) });
    reopenLater(args, fault);
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
  else for (const { serial } of requests) reply(serial, { error: new WavecacheError(absence) });
}

async function close(request: KeeperRequest): Promise<void> {
  handleInbox();
  clearTimeout(reopening);
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
