/** `upload FILE`: puts a file into the cache and prints the id it can be had by. */
import type { CAC } from "cac";
import { ClientError } from "../../client/errors.ts";
import { upload, type UploadResult } from "../../client/upload.ts";
import { flagOption, type Options, textOption } from "../arguments.ts";
import { CliError, usageError } from "../failures.ts";
import { openSource } from "../files.ts";
import { safeJson, table } from "../text.ts";
import {
  chunkBytesOf,
  chunkOption,
  type Context,
  digestRows,
  jsonOption,
  speedLine,
  timed,
  transferOptions,
  transferSettings,
} from "../transfers.ts";

export function registerUpload(cli: CAC, context: Context): void {
  const command = cli
    .command("upload <file>", "Upload a file and print its stream id")
    .option("--id <id>", "Id of the new stream (default: a new one)")
    .option("--resume <id>", "Go on with an unfinished upload of the same file");
  jsonOption(chunkOption(transferOptions(command)))
    .example("  $ bun run client upload song.mp3")
    .example("  $ bun run client upload song.mp3 --id my-song --chunk 65536")
    .action((file: string, options: Options) => uploadFile(file, options, context));
}

async function uploadFile(file: string, options: Options, context: Context): Promise<void> {
  const id = textOption(options, "id");
  const resumed = textOption(options, "resume");
  if (id !== undefined && resumed !== undefined) throw usageError("--id and --resume exclude each other");
  const settings = transferSettings(options, context);
  const chunkBytes = chunkBytesOf(options);
  const source = await openSource(file);
  try {
    const { result, ms } = await timed(context, "upload", source.sizeBytes, (onProgress) =>
      upload({
        ...settings,
        source,
        chunkBytes,
        onProgress,
        streamId: resumed ?? id,
        resume: resumed !== undefined,
      }),
    );
    refuseUnacknowledged(result);
    const json = flagOption(options, "json");
    for (const line of json ? [safeJson(jsonOf(result, ms))] : report(result, ms))
      context.terminal.print(line);
  } catch (error) {
    throw withResumeHint(error, resumed ?? id);
  } finally {
    await source.close();
  }
}

/** Where nothing follows that would show what the server has, silence is a failure. */
function refuseUnacknowledged({ acknowledgement, sizeBytes, streamId }: UploadResult): void {
  if (acknowledgement !== "none" || sizeBytes === 0) return;
  const message = `the server did not acknowledge the end of ${streamId}`;
  throw new CliError(message, "download it to see what is there, or upload it again");
}

function withResumeHint(error: unknown, id: string | undefined): unknown {
  if (!(error instanceof ClientError) || error.code !== "CONNECTION_LOST" || id === undefined) return error;
  return new ClientError(error.code, error.detail, `go on later with --resume ${id}`);
}

function report(result: UploadResult, ms: number): string[] {
  return table([
    ["Stream", result.streamId],
    ["Upload", speedLine(result.sizeBytes, ms)],
    ...digestRows(result.digests),
    [
      "Server",
      result.acknowledgement === "verified" ? "has the same size and SHA-256" : "sends no digest to compare",
    ],
  ]);
}

function jsonOf(result: UploadResult, ms: number) {
  return {
    streamId: result.streamId,
    size: result.sizeBytes,
    ...result.digests,
    verified: result.acknowledgement === "verified",
    reconnects: result.reconnects,
    durationMs: Math.round(ms * 1000) / 1000,
  };
}
