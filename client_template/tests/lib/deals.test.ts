import { describe, expect, it } from "vitest";

import { byStage, moveColumns, moved, type Deal } from "@/lib/deals";
import { webLink } from "@/lib/safe-link";

const NOW = new Date("2026-11-23T10:00:00Z");

export function deal(id: string, more: Partial<Deal> = {}): Deal {
  return {
    id,
    title: `Deal ${id}`,
    value_cents: 100000,
    currency: "ZAR",
    stage: "qualified",
    probability: 10,
    expected_close_on: null,
    closed_at: null,
    lost_reason: null,
    lead_id: null,
    contact: null,
    ...more,
  };
}

describe("a move writes what the table demands", () => {
  it("a closing date exactly for what is won or lost", () => {
    expect(moveColumns("won", NOW)).toEqual({ stage: "won", closed_at: NOW.toISOString(), lost_reason: null });
    expect(moveColumns("lost", NOW)).toEqual({ stage: "lost", closed_at: NOW.toISOString() });
    expect(moveColumns("proposal", NOW)).toEqual({ stage: "proposal", closed_at: null, lost_reason: null });
  });

  it("one deal only, and nothing where it stands elsewhere by now", () => {
    const deals = [deal("a"), deal("b")];

    const after = moved(deals, { id: "a", from: "qualified", to: "won" }, NOW);

    expect(after.map((one) => one.stage)).toEqual(["won", "qualified"]);
    expect(moved(deals, { id: "a", from: "proposal", to: "won" }, NOW)).toBe(deals);
    expect(moved(deals, { id: "a", from: "qualified", to: "qualified" }, NOW)).toBe(deals);
    expect(moved(deals, { id: "z", from: "qualified", to: "won" }, NOW)).toBe(deals);
  });
});

it("in a stage, what closes first comes first", () => {
  const stages = byStage([
    deal("late", { expected_close_on: "2026-12-31" }),
    deal("undated"),
    deal("soon", { expected_close_on: "2026-11-30" }),
    deal("won", { stage: "won" }),
  ]);

  expect(stages.qualified.map((one) => one.id)).toEqual(["soon", "late", "undated"]);
  expect(stages.won).toHaveLength(1);
});

describe("addresses from data become links only where they lead to a page", () => {
  it.each(["https://kloof.example/a?b=1", "http://kloof.example/"])("%s", (address) => {
    expect(webLink(address)).toBe(address);
  });

  it.each(["javascript:alert(1)", "data:text/html,x", "//evil.example", "https://me:pw@evil.example", " ", null, "x"])(
    "%s does not",
    (address) => {
      expect(webLink(address)).toBeNull();
    },
  );
});
