import { describe, expect, it } from "vitest";

import { changeOf, missingOf, seriesOf, totalOf } from "@/lib/analytics/figures";

import { day, known, partOf } from "./snapshot-rows";

const STARTS = ["2026-11-20", "2026-11-21", "2026-11-22"];
const RANGE = { kind: "day", starts: STARTS } as const;

function one(...args: Parameters<typeof day>) {
  return (name: Parameters<typeof seriesOf>[2], platform: Parameters<typeof seriesOf>[3] = null) =>
    seriesOf([day(...args)], { kind: "day", starts: [args[0]] }, name, platform)[0];
}

describe("missing is missing and never 0", () => {
  it("a day without a row is a gap that says so", () => {
    const rows = [day("2026-11-20", partOf({ views: known(10) })), day("2026-11-22", partOf({ views: known(0) }))];

    const points = seriesOf(rows, RANGE, "views", null);

    expect(points.map((point) => [point.start, point.state, point.value, point.note])).toEqual([
      ["2026-11-20", "known", 10, null],
      ["2026-11-21", "missing", null, "no figures were taken"],
      ["2026-11-22", "known", 0, null],
    ]);
  });

  it("a number that the platform did not give keeps its reason", () => {
    const missing = [{ platform: "facebook", metric: "reach", posts: 2, reason: "the platform gave no number" }];
    const point = one(
      "2026-11-20",
      partOf({ reach: { value: null, posts: 0, missing: 2, carried: 0 } }),
      { missing },
    )("reach");

    expect(point).toMatchObject({ state: "missing", value: null, note: "the platform gave no number" });
  });

  it("a carried 0 of a day on which nothing was read is not a 0", () => {
    const carried = partOf(
      { views: { value: 0, posts: 3, missing: 0, carried: 3 } },
      { engagements: { value: 9, gained: 0, posts: 3 } },
    );
    const at = one("2026-11-20", carried, { days_without_readings: ["2026-11-20"] });

    expect(at("views")).toMatchObject({ state: "missing", value: null, note: "no numbers were read on this day" });
    expect(at("engagements")).toMatchObject({ state: "missing", value: null });
    expect(at("published")).toMatchObject({ state: "known", value: 1 });
  });

  it("nor is one of old posts that are not counted each day", () => {
    const at = one("2026-11-20", partOf({ views: { value: 0, posts: 3, missing: 0, carried: 3 } }));

    expect(at("views")).toMatchObject({
      state: "missing",
      note: "not counted on this day; older posts are counted once a week",
    });
  });

  it("a 0 that was counted is a 0, and a correction downwards stays negative", () => {
    expect(one("2026-11-20", partOf({ views: known(0, 2) }))("views")).toMatchObject({ state: "known", value: 0 });
    expect(one("2026-11-20", partOf({ views: known(-4, 2) }))("views")).toMatchObject({ state: "known", value: -4 });
  });

  it("where there was nothing to count, that is neither missing nor 0", () => {
    expect(one("2026-11-20", partOf({}))("saves")).toMatchObject({ state: "nothing", value: null });
  });

  it("a platform without posts on a day published 0 and has nothing else to count", () => {
    const at = one("2026-11-20", partOf({ views: known(5) }));

    expect(at("published", "x")).toMatchObject({ state: "known", value: 0 });
    expect(at("views", "x")).toMatchObject({ state: "nothing", value: null });
  });
});

describe("what is known in part says what it lacks", () => {
  it("posts that were not counted", () => {
    const at = one("2026-11-20", partOf({ views: { value: 7, posts: 2, missing: 1, carried: 0 } }));

    expect(at("views")).toMatchObject({ state: "partial", value: 7, note: "without 1 post that was not counted" });
  });

  it("the gain of a silent day that arrived on the next", () => {
    const rows = [
      day("2026-11-20", partOf({ views: { value: 0, posts: 1, missing: 0, carried: 1 } }), {
        days_without_readings: ["2026-11-20"],
      }),
      day("2026-11-21", partOf({ views: known(30) })),
    ];

    const points = seriesOf(rows, { kind: "day", starts: ["2026-11-20", "2026-11-21"] }, "views", null);

    expect(points.map((point) => [point.state, point.value])).toEqual([
      ["missing", null],
      ["partial", 30],
    ]);
    expect(points[1]?.note).toContain("the day before");
  });
});

it("restated periods are marked, by their flag or by their version", () => {
  expect(one("2026-11-20", partOf({}), { restated: true })("views")?.restated).toBe(true);
  expect(one("2026-11-20", partOf({}), { version: 2 })("views")?.restated).toBe(true);
  expect(one("2026-11-20", partOf({}))("views")?.restated).toBe(false);
});

it("a platform's figures are its own", () => {
  const platforms = { x: partOf({ views: known(3) }), facebook: partOf({ views: known(8) }) };
  const at = one("2026-11-20", partOf({ views: known(11) }), { platforms });

  expect([at("views")?.value, at("views", "x")?.value, at("views", "facebook")?.value]).toEqual([11, 3, 8]);
});

describe("sums and changes", () => {
  const point = (value: number | null, state: "known" | "missing" | "partial" | "nothing") => ({
    start: "2026-11-20",
    end: "2026-11-21",
    value,
    state,
    note: null,
    restated: false,
  });

  it("sum what is known and count what is not", () => {
    const points = [point(5, "known"), point(null, "missing"), point(2, "partial"), point(null, "nothing")];

    expect(totalOf(points)).toEqual({ value: 7, missing: 1, partial: 1 });
    expect(totalOf([point(null, "missing")])).toEqual({ value: null, missing: 1, partial: 0 });
  });

  it("are compared only where neither range has a gap", () => {
    const whole = { value: 15, missing: 0, partial: 0 };

    expect(changeOf(whole, { value: 10, missing: 0, partial: 0 })).toEqual({ change: 5, percent: 50 });
    expect(changeOf(whole, { value: 0, missing: 0, partial: 0 })).toEqual({ change: 15, percent: null });
    expect(changeOf(whole, { value: 10, missing: 1, partial: 0 })).toBeNull();
    expect(changeOf({ ...whole, missing: 2 }, { value: 10, missing: 0, partial: 0 })).toBeNull();
    expect(changeOf({ ...whole, value: null }, { value: 10, missing: 0, partial: 0 })).toBeNull();
  });
});

it("each reason for a gap is told once, with the most posts that it hit", () => {
  const reason = (posts: number) => ({ platform: "x", metric: "views", posts, reason: "the call was refused" });
  const rows = [
    day("2026-11-20", partOf({}), { missing: [reason(1)] }),
    day("2026-11-21", partOf({}), { missing: [reason(4), { ...reason(2), platform: "facebook" }] }),
  ];

  expect(missingOf(rows, null).map((row) => [row.platform, row.posts])).toEqual([
    ["x", 4],
    ["facebook", 2],
  ]);
  expect(missingOf(rows, "facebook")).toHaveLength(1);
});
