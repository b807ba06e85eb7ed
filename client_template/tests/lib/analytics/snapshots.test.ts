import { expect, it } from "vitest";

import { newestVersions, readSnapshots, SNAPSHOT_COLUMNS } from "@/lib/analytics/snapshots";

import { day, known, partOf } from "./snapshot-rows";

it("rows of a newer shape or with damage are counted, and the others are read", () => {
  const good = day("2026-11-20", partOf({ views: known(1) }));

  const read = readSnapshots([good, { ...good, schema: 2 }, { ...good, gained: null }, null]);

  expect(read.unreadable).toBe(3);
  expect(read.snapshots.map((one) => one.period_start)).toEqual(["2026-11-20"]);
});

it("metrics that a later server adds do no harm", () => {
  const good = day("2026-11-20", partOf({ views: known(1) }));

  expect(readSnapshots([{ ...good, later: { value: 3 } }]).unreadable).toBe(0);
});

it("the newest version of each period counts, in the order of time", () => {
  const rows = [
    day("2026-11-21", partOf({ views: known(3) })),
    day("2026-11-20", partOf({ views: known(1) }), { version: 1 }),
    day("2026-11-20", partOf({ views: known(2) }), { version: 2 }),
  ];

  expect(newestVersions(rows).map((one) => [one.period_start, one.version])).toEqual([
    ["2026-11-20", 2],
    ["2026-11-21", 1],
  ]);
});

it("the ids behind the figures are not asked for", () => {
  expect(SNAPSHOT_COLUMNS).toContain("gained:metrics->gained");
  expect(SNAPSHOT_COLUMNS).not.toContain("sources");
});
