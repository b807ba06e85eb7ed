import { describe, expect, it } from "vitest";

import { isRangeKey, localDay, mondayOf, rangeOf } from "@/lib/analytics/ranges";

describe("a range ends with the last period that is over", () => {
  it("days end yesterday, and as many before them are compared", () => {
    const range = rangeOf("7d", "2026-11-23");

    expect([range.starts[0], range.starts.at(-1)]).toEqual(["2026-11-16", "2026-11-22"]);
    expect([range.before[0], range.before.at(-1)]).toEqual(["2026-11-09", "2026-11-15"]);
  });

  it("weeks are whole ones from Monday", () => {
    const range = rangeOf("12w", "2026-11-29");

    expect(range.starts).toHaveLength(12);
    expect(range.starts.at(-1)).toBe("2026-11-16");
  });

  it("months cross the year", () => {
    const range = rangeOf("12m", "2026-02-10");

    expect([range.starts[0], range.starts.at(-1)]).toEqual(["2025-02-01", "2026-01-01"]);
  });
});

it("a week begins on Monday, also on a Sunday", () => {
  expect([mondayOf("2026-11-22"), mondayOf("2026-11-23")]).toEqual(["2026-11-16", "2026-11-23"]);
});

it("today is the organization's day, not the browser's", () => {
  const now = new Date("2026-11-22T23:30:00Z");

  expect(localDay(now, "Africa/Johannesburg")).toBe("2026-11-23");
  expect(localDay(now, "America/New_York")).toBe("2026-11-22");
});

it("a range from an address is checked", () => {
  expect([isRangeKey("28d"), isRangeKey("toString"), isRangeKey(null)]).toEqual([true, false, false]);
});
