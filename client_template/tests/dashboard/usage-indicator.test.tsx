import { cleanup, render, screen, within } from "@testing-library/react";
import { afterEach, expect, test } from "vitest";

import { UsageIndicator } from "@/components/dashboard/usage-indicator";
import { usageOf } from "@/lib/usage";

afterEach(cleanup);

const month = (metric: string, used: number, limit_value: number | null, reserved = 0) => ({
  metric,
  period_start: "2026-11-01",
  period_end: "2026-12-01",
  used,
  reserved,
  limit_value,
});

function items(...counters: Parameters<typeof usageOf>[0]) {
  render(<UsageIndicator usages={usageOf(counters, "2026-11-23")} />);
  return screen.getAllByRole("listitem");
}

test("the five metrics stand there, and what is not counted is not a zero", () => {
  const [posts, texts, accounts, users, calls] = items(month("posts_monthly", 3, 10), month("api_calls", 5, null));

  expect(posts).toHaveTextContent("Posts this month3 of 10");
  expect(within(posts!).getByRole("progressbar")).toHaveAttribute("aria-valuenow", "30");
  expect(calls).toHaveTextContent("5, no limit");
  for (const item of [texts, accounts, users]) {
    expect(item).toHaveTextContent("not counted yet");
    expect(within(item!).queryByRole("progressbar")).toBeNull();
  }
});

test("80 % and 100 % are said in words", () => {
  const [posts, texts, , , calls] = items(
    month("posts_monthly", 70, 100, 10),
    month("ai_generations", 100, 100),
    month("api_calls", 79, 100),
  );

  expect(posts).toHaveTextContent("80 % reached");
  expect(posts).toHaveTextContent("10 of these planned or in progress");
  expect(texts).toHaveTextContent("Limit reached");
  expect(calls).not.toHaveTextContent(/reached/);
});

test("more than the plan allows, as after a change to a smaller one, is said to be over it", () => {
  const [posts] = items(month("posts_monthly", 12, 10));

  expect(posts).toHaveTextContent("Over the limit");
  expect(within(posts!).getByRole("progressbar")).toHaveAttribute("aria-valuetext", "12 of 10, 120 %");
});
