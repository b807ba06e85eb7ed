import { describe, expect, it } from "vitest";

import { usageOf, type UsageCounter } from "@/lib/usage";

function counter(metric: string, used: number, limit_value: number | null, reserved = 0): UsageCounter {
  return { metric, period_start: "2026-11-01", period_end: "2026-12-01", used, reserved, limit_value };
}

describe("thresholds", () => {
  it.each([
    [79, 100, "ok", 79],
    [80, 100, "near", 80],
    [99, 100, "near", 99],
    [100, 100, "full", 100],
    [130, 100, "full", 130],
    [3999, 5000, "ok", 80],
    [0, 0, "ok", 0],
    [1, 0, "full", 100],
  ] as const)("%i of %i is %s", (used, limit, level, percent) => {
    const usage = usageOf([counter("posts_monthly", used, limit)], "2026-11-23")[0];

    expect(usage).toMatchObject({ level, percent, taken: used });
  });

  it("work in progress counts as taken", () => {
    const usage = usageOf([counter("posts_monthly", 70, 100, 10)], "2026-11-23")[0];

    expect(usage).toMatchObject({ taken: 80, reserved: 10, level: "near" });
  });

  it("no limit is never full", () => {
    expect(usageOf([counter("api_calls", 1e6, null)], "2026-11-23")[4]).toMatchObject({ level: "ok", percent: null });
  });
});

it("all five metrics are told of; one without a counter of this month is not known, not 0", () => {
  const usages = usageOf([{ ...counter("posts_monthly", 5, 10), period_end: "2026-11-20" }], "2026-11-23");

  expect(usages.map((one) => one.metric)).toEqual([
    "posts_monthly",
    "ai_generations",
    "social_accounts",
    "users",
    "api_calls",
  ]);
  expect(usages.every((one) => one.taken === null && one.level === null)).toBe(true);
});

it("what lasts does not begin again with the month", () => {
  const lasting = { ...counter("users", 3, 5), period_start: "2000-01-01", period_end: "9999-12-31" };
  const usages = usageOf([lasting, counter("api_calls", 3, 5)], "2026-11-23");

  expect([usages[3]?.resetsOn, usages[4]?.resetsOn]).toEqual([null, "2026-12-01"]);
});
