/** `recordings export DEVICE`: writes the audio of a period to a file, or to standard output. */
import { periodAudio } from "../../client/http/periods.ts";
import { apiSettings } from "../connect/server-options.ts";
import {
  choiceOption,
  countOption,
  flagOption,
  type Options,
  requiredText,
  textOption,
} from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { OutputFile } from "../kit/output-file.ts";
import { printResult } from "../kit/results.ts";
import { noAudioOf, periodOption } from "./period.ts";

const maxRate = 384_000;

export async function exportPeriod(device: string, options: Options, context: Context): Promise<void> {
  const { terminal } = context;
  const period = periodOption(options, device);
  const output = requiredText(options, "output");
  if (output === "-") terminal.giveStdoutToAudio("pipe it into a player, or give a file with --output FILE");
  const audio = await periodAudio(period, {
    ...apiSettings(options, context),
    gaps: choiceOption(options, "gaps", ["silence", "skip", "fail"] as const),
    resample:
      textOption(options, "resample") === undefined
        ? undefined
        : countOption(options, "resample", 1, maxRate),
  });
  if (audio === undefined) throw noAudioOf(device);
  const mayReplace = flagOption(options, "force");
  const bytes = output === "-" ? await writeAll(audio, terminal) : await writeFile(audio, output, mayReplace);
  printResult(options, terminal, { json: { device, output, bytes }, lines: [`${output}: ${bytes} bytes`] });
}

async function writeFile(
  audio: AsyncIterable<Uint8Array>,
  path: string,
  mayReplace: boolean,
): Promise<number> {
  const file = await OutputFile.create(path, { mayReplace });
  try {
    const bytes = await writeAll(audio, file);
    await file.commit();
    return bytes;
  } finally {
    await file.discard();
  }
}

async function writeAll(
  audio: AsyncIterable<Uint8Array>,
  sink: { write(bytes: Uint8Array): void | Promise<void> },
): Promise<number> {
  let bytes = 0;
  for await (const piece of audio) {
    await sink.write(piece);
    bytes += piece.length;
  }
  return bytes;
}
