import { describe, expect, test } from "bun:test";
import { maxSearchWordChars } from "../../base/limits/postgres.ts";
import { foldAscii, partsOf, toLooseQuery, toQuery, toVector, wordsOf } from "./words.ts";

test("letters and digits make words, without case and accents", () => {
  expect(wordsOf("Déjà vu: AC/DC_2, Größe")).toEqual(["deja", "vu", "ac", "dc", "2", "große"]);
});

test("a long word is cut, and never within a character", () => {
  const [word] = wordsOf(`a${"𝒜".repeat(maxSearchWordChars)}`);
  expect(word!.length).toBeLessThanOrEqual(maxSearchWordChars);
  expect(word!.isWellFormed()).toBe(true);
});

test("a vector has the places of each word", () => {
  expect(toVector("black in Black")).toBe("'black':1,3 'in':2");
});

describe("a query", () => {
  test("wants each part, the words of a part together, and the last one as a prefix", () => {
    expect(toQuery(partsOf("ac/dc bla"))).toBe("('ac' <-> 'dc') & ('bla':*)");
  });

  test("leaves out parts without words", () => {
    expect(toQuery(partsOf("( a"))).toBe("('a':*)");
    expect(toQuery(partsOf("a ("))).toBe("('a')");
    expect(partsOf(" \0'")).toEqual([]);
  });

  test("is loose where its words may be anywhere", () => {
    expect(toLooseQuery(partsOf("ac/dc bla").flat())).toBe("'ac' & 'dc' & 'bla':*");
  });
});

test("only letters of ASCII are folded", () => {
  expect(foldAscii("BACH Ä")).toBe("bach Ä");
});
