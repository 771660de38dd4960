/** The Markdown of this project, as far as its tests need it: code blocks, headings and links. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

export const projectFolder = resolve(import.meta.dir, "../../..");

export interface CodeBlock {
  /** Of its first fence, from 1. */
  line: number;
  language: string;
  /** What stands behind the language; readers of the rendered page do not see it. */
  marks: string[];
  text: string;
  /** What the page shows as the block's output, in a block of `text` right below. */
  output: string | undefined;
}

export interface Link {
  line: number;
  target: string;
}

const fence = /^(`{3,})([^\n`]*)\n(.*?)^\1[ \t]*$/gms;

/** Every document that is written for people, relative to the project. */
export function documents(): string[] {
  const top = readdirSync(projectFolder).filter((name) => name.endsWith(".md"));
  const docs = readdirSync(join(projectFolder, "docs")).filter((name) => name.endsWith(".md"));
  const others = ["src/README.md", "data/README.md", "bench/results/README.md"];
  return [...top, ...docs.map((name) => `docs/${name}`), ...others];
}

export function readDocument(path: string): string {
  return readFileSync(join(projectFolder, path), "utf8");
}

export function codeBlocks(markdown: string): CodeBlock[] {
  const blocks = Array.from(markdown.matchAll(fence), (match) => {
    const [language = "", ...marks] = match[2]!.trim().split(/\s+/);
    return { language, marks, text: match[3]!, at: match.index, end: match.index + match[0].length };
  });
  return blocks.map(({ language, marks, text, at, end }, index) => {
    const next = blocks[index + 1];
    const isFollowed = next?.language === "text" && markdown.slice(end, next.at).trim() === "";
    const output = isFollowed ? next.text : undefined;
    return { line: lineOf(markdown, at), language, marks, text, output };
  });
}

/** Links and images, those in code left out. */
export function links(markdown: string): Link[] {
  const prose = withoutCode(markdown);
  return Array.from(prose.matchAll(/\]\(([^()\s]+)\)|^\[[^\]]+\]:\s*(\S+)/gm), (match) => ({
    line: lineOf(prose, match.index),
    target: match[1] ?? match[2]!,
  }));
}

/** The anchors that GitHub gives to a page's headings. */
export function anchors(markdown: string): Set<string> {
  const found = new Set<string>();
  for (const [, heading] of withoutFences(markdown).matchAll(/^#{1,6} +(.+?)\s*$/gm)) {
    const slug = slugOf(heading!);
    let anchor = slug;
    for (let count = 1; found.has(anchor); count++) anchor = `${slug}-${count}`;
    found.add(anchor);
  }
  return found;
}

function slugOf(heading: string): string {
  const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1");
  return text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}\p{Pc}\- ]/gu, "")
    .replaceAll(" ", "-");
}

/** The same lines, so that numbers of lines stay right. */
function withoutFences(markdown: string): string {
  return markdown.replace(fence, (block) => block.replace(/[^\n]/g, ""));
}

function withoutCode(markdown: string): string {
  return withoutFences(markdown).replace(/`[^`\n]*`/g, "");
}

function lineOf(text: string, at: number): number {
  return text.slice(0, at).split("\n").length;
}
