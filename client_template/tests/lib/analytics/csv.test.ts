import { describe, expect, it } from "vitest";

import { analyticsRows, toCsv } from "@/lib/analytics/csv";
import { FIGURE_NAMES } from "@/lib/analytics/figures";
import { rangeOf } from "@/lib/analytics/ranges";

import { day, known, partOf } from "./snapshot-rows";

describe("a spreadsheet runs nothing of it", () => {
  it.each([
    ["=HYPERLINK(\"http://x\")", "\"'=HYPERLINK(\"\"http://x\"\")\""],
    ["+27821234567", "\"'+27821234567\""],
    ["-2+3", "\"'-2+3\""],
    ["@SUM(A1)", "\"'@SUM(A1)\""],
    ["  =1+1", "\"'  =1+1\""],
    ["\t=1", "\"'\t=1\""],
    ["\uff1d1+1", "\"'\uff1d1+1\""],
  ])("%s", (text, cell) => {
    expect(toCsv([[text]])).toBe(`\ufeff${cell}\r\n`);
  });

  it("numbers stay numbers, negative ones too", () => {
    expect(toCsv([[-5, 0.125, null, true, "plain"]])).toBe("\ufeff-5,0.125,,yes,plain\r\n");
  });

  it("commas, quotes and line ends stay in their cell", () => {
    expect(toCsv([["a,b", 'say "hi"', "two\nlines"]])).toBe('\ufeff"a,b","say ""hi""","two\nlines"\r\n');
  });
});

it("a missing number is an empty cell whose reason is told, never 0", () => {
  const range = rangeOf("7d", "2026-11-23");
  const rows = [day("2026-11-22", partOf({ views: known(12) }), { platforms: { x: partOf({ views: known(12) }) } })];

  const [header, ...body] = analyticsRows(rows, range, "x");

  const views = header?.indexOf("views") ?? -1;
  expect(header?.slice(3, 3 + FIGURE_NAMES.length)).toEqual(FIGURE_NAMES);
  expect(body).toHaveLength(7);
  expect(body[6]?.[views]).toBe(12);
  expect(body[0]?.[views]).toBeNull();
  expect(body[0]?.at(-1)).toContain("views: no figures were taken");
});

it("without a filter each network has rows of its own beside those of all", () => {
  const rows = analyticsRows([], rangeOf("7d", "2026-11-23"), null);

  expect(new Set(rows.slice(1).map((row) => row[2]))).toEqual(new Set(["all", "facebook", "instagram", "linkedin", "x"]));
  expect(rows).toHaveLength(1 + 5 * 7);
});
