/** The audio files among what a user drops or chooses, folders included. */

export interface DroppedFile {
  file: File;
  /** With the folders that it was dropped in: `album/01.flac`. */
  name: string;
}

const audioExtension = /\.(?:wav|wave|mp3|flac|ogg|oga|opus|m4a|aac|aif|aiff|wma|webm|mka|amr|caf|au)$/i;

export function isAudioFile({ type, name }: Pick<File, "type" | "name">): boolean {
  return type.startsWith("audio/") || audioExtension.test(name);
}

/** To be called while the drop event is handled: the browser forgets the items afterwards. */
export async function filesOfDrop(transfer: DataTransfer): Promise<DroppedFile[]> {
  const entries = Array.from(transfer.items, (item) => item.webkitGetAsEntry());
  const found = entries.filter((entry) => entry !== null);
  // Some browsers, and tests, have files without entries.
  if (found.length === 0) return filesOfInput(transfer.files);
  return (await Promise.all(found.map((entry) => filesOfEntry(entry, "")))).flat();
}

export function filesOfInput(files: Iterable<File>): DroppedFile[] {
  return Array.from(files, (file) => ({ file, name: file.webkitRelativePath || file.name }));
}

async function filesOfEntry(entry: FileSystemEntry, folder: string): Promise<DroppedFile[]> {
  const name = `${folder}${entry.name}`;
  if (entry.isFile) return [{ file: await fileOf(entry as FileSystemFileEntry), name }];
  const children = await childrenOf(entry as FileSystemDirectoryEntry);
  return (await Promise.all(children.map((child) => filesOfEntry(child, `${name}/`)))).flat();
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

/** A reader returns a part of a folder at a time, and nothing at its end. */
async function childrenOf(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) return all;
    all.push(...some);
  }
}
