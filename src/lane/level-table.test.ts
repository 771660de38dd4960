import { describe, expect, test } from "bun:test";
import { maxLevelCells } from "../base/limits/peaks.ts";
import { LevelCells, LevelTable } from "./level-table.ts";

describe("a table of levels", () => {
  test("shows what its other side writes, and how often", () => {
    const reader = new LevelTable();
    const writer = new LevelTable(reader.memory);
    const level = { peak: 1, meanSquare: 2.5, clipped: 3 };
    for (const cell of [0, maxLevelCells - 1]) {
      writer.write(cell, { peak: 9, meanSquare: 9, clipped: 9 });
      writer.write(cell, level);
      expect([reader.read(cell), reader.blocks(cell)]).toEqual([level, 2]);
    }
    writer.write(null, level);
    expect(reader.blocks(1)).toBe(0);
  });

  test("has a limited number of cells, which are used again", () => {
    const cells = new LevelCells();
    const taken = Array.from({ length: maxLevelCells }, () => cells.take());
    expect(new Set(taken).size).toBe(maxLevelCells);
    expect(cells.take()).toBeNull();
    cells.release(null);
    cells.release(7);
    expect([cells.take(), cells.take()]).toEqual([7, null]);
  });
});
