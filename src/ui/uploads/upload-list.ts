/** What is known of the uploads of this page. The scripts that upload are loaded with the first one. */
import { signal } from "@preact/signals";
import type { Upload } from "./upload.ts";

export const uploads = signal<readonly Upload[]>([]);
/** Counts the streams that were finished, so that lists load again. */
export const finishedUploads = signal(0);
