/**
 * Uploads that are not finished, kept by the browser: after a reload they continue where the server is. Small files are
 * kept themselves; for a large one, of which that would be a copy, the user drops the file again.
 */
import type { UploadRecord } from "./upload.ts";

export interface KeptUpload extends UploadRecord {
  file?: File;
}

const databaseName = "wavecache";
const storeName = "uploads";
/** A larger file is not copied into the browser's storage. */
const maxKeptBytes = 256 * 1024 * 1024;

export async function keepUpload(record: UploadRecord, file: File): Promise<void> {
  const kept: KeptUpload = file.size <= maxKeptBytes ? { ...record, file } : record;
  await inStore("readwrite", (store) => store.put(kept));
}

export async function forgetUpload(streamId: string): Promise<void> {
  await inStore("readwrite", (store) => store.delete(streamId));
}

export async function keptUploads(): Promise<KeptUpload[]> {
  return await inStore<KeptUpload[]>("readonly", (store) => store.getAll());
}

async function inStore<T>(
  mode: IDBTransactionMode,
  use: (store: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const database = await open();
  try {
    return await resultOf(use(database.transaction(storeName, mode).objectStore(storeName)));
  } finally {
    database.close();
  }
}

async function open(): Promise<IDBDatabase> {
  const opening = indexedDB.open(databaseName, 1);
  opening.addEventListener("upgradeneeded", () => {
    opening.result.createObjectStore(storeName, { keyPath: "streamId" });
  });
  return await resultOf(opening);
}

function resultOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error));
  });
}
