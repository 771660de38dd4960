import { expect, test } from "bun:test";
import fc from "fast-check";
import { visibleRows } from "./visible.ts";

test("pages have every visible row once, in order, and end where the list does", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.boolean(), { maxLength: 50 }),
      fc.integer({ min: 1, max: 7 }),
      async (seen, limit) => {
        const all = seen.map((_, at) => at);
        const found: number[] = [];
        for (let after = -1; ; after = found.at(-1)!) {
          const page = await visibleRows<number>({
            limit,
            read: async (last = after, wanted) => all.filter((each) => each > last).slice(0, wanted),
            isVisible: (row) => seen[row]!,
          });
          found.push(...page);
          if (page.length < limit) break;
        }
        expect(found).toEqual(all.filter((row) => seen[row]));
      },
    ),
  );
});
