import { afterEach, beforeEach, expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { HeldFolders } from "./held-folders.ts";

let folder: ReturnType<typeof temporaryFolder>;
let root: string;
let folders: HeldFolders;

beforeEach(() => {
  folder = temporaryFolder();
  root = join(folder.path, "root");
  fs.mkdirSync(join(folder.path, "outside"));
  fs.writeFileSync(join(folder.path, "outside", "a"), "outside");
  put("mic", "a", "of the microphone");
  folders = new HeldFolders(root);
});
afterEach(() => {
  folders.close();
  folder[Symbol.dispose]();
});

function put(device: string, name: string, content: string): void {
  fs.mkdirSync(join(root, device), { recursive: true });
  fs.writeFileSync(join(root, device, name), content);
}

async function contentOf(name: string): Promise<string | undefined> {
  const file = await folders.open(join(root, name));
  if (file === undefined) return undefined;
  try {
    return new TextDecoder().decode(await file.read(0, file.size));
  } finally {
    await file.close();
  }
}

test("files of a folder are opened, also new ones, and those of the root", async () => {
  fs.writeFileSync(join(root, "b"), "of the root");
  expect(await contentOf("mic/a")).toBe("of the microphone");
  put("mic", "later", "later");
  expect(await contentOf("mic/later")).toBe("later");
  expect(await contentOf("b")).toBe("of the root");
  expect(await contentOf("mic/none")).toBeUndefined();
  expect(await contentOf("none/a")).toBeUndefined();
  expect(await contentOf("mic")).toBeUndefined();
});

test("a file that was replaced is the new one", async () => {
  expect(await contentOf("mic/a")).toBe("of the microphone");
  fs.writeFileSync(join(root, "mic", "new"), "new");
  fs.renameSync(join(root, "mic", "new"), join(root, "mic", "a"));
  expect(await contentOf("mic/a")).toBe("new");
});

test("a folder that is held and was moved within the root is not confused with the one in its place", async () => {
  expect(await contentOf("mic/a")).toBe("of the microphone");
  fs.renameSync(join(root, "mic"), join(root, "old"));
  expect(await contentOf("mic/a")).toBeUndefined();
  put("mic", "a", "in its place");
  expect(await contentOf("mic/a")).toBe("in its place");
});

test("nothing outside of the root is opened, whatever becomes a link while its folder is held", async () => {
  expect(await contentOf("mic/a")).toBe("of the microphone");
  fs.renameSync(join(root, "mic"), join(folder.path, "moved"));
  expect(await contentOf("mic/a")).toBeUndefined();
  fs.symlinkSync(join(folder.path, "outside"), join(root, "mic"));
  expect(await contentOf("mic/a")).toBeUndefined();
  expect(await new HeldFolders(root).open(join(root, "mic/a"))).toBeUndefined();
  put("other", "b", "b");
  expect(await contentOf("other/b")).toBe("b");
  fs.symlinkSync(join(folder.path, "outside", "a"), join(root, "other", "a"));
  expect(await contentOf("other/a")).toBeUndefined();
});

test("a root that is a link may hold links within itself", async () => {
  fs.symlinkSync(root, join(folder.path, "link"));
  fs.symlinkSync("mic", join(root, "alias"));
  root = join(folder.path, "link");
  folders = new HeldFolders(root);
  expect(await contentOf("alias/a")).toBe("of the microphone");
});
