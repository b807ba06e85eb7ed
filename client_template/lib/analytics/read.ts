/** Reads the snapshots of a range through the API, as far as the signed-in person may see them. */
import type { SupabaseClient } from "@supabase/supabase-js";

import { dataOf } from "@/lib/data-error";
import type { Database } from "@/lib/supabase/types";

import type { Range } from "./ranges";
import {
  HIGHLIGHT_COLUMNS,
  highlightsSchema,
  newestVersions,
  readSnapshots,
  SNAPSHOT_COLUMNS,
  type Highlights,
  type Snapshot,
} from "./snapshots";

/** The API gives no more rows than this at once, whatever is asked for. */
const PAGE = 500;

export type SnapshotsRead = { snapshots: Snapshot[]; unreadable: number };

/** The newest versions of a range's periods and of those before it. Throws DataError. */
export async function readRange(client: SupabaseClient<Database>, range: Range): Promise<SnapshotsRead> {
  const rows: unknown[] = [];
  for (;;) {
    const page = dataOf<unknown[]>(
      await client
        .from("analytics_snapshots")
        .select(SNAPSHOT_COLUMNS)
        .eq("period", range.kind)
        .gte("period_start", range.before[0] ?? "")
        .order("period_start", { ascending: false })
        .order("version", { ascending: false })
        .range(rows.length, rows.length + PAGE - 1),
    );
    rows.push(...page);
    if (page.length < PAGE) break;
  }
  const { snapshots, unreadable } = readSnapshots(rows);
  return { snapshots: newestVersions(snapshots), unreadable };
}

/** The best posts of the newest week that is over, and the best times as of the newest day; null where there is none. */
export async function readHighlights(
  client: SupabaseClient<Database>,
): Promise<{ week: Highlights | null; day: Highlights | null }> {
  const newest = async (period: "week" | "day"): Promise<Highlights | null> => {
    const rows = dataOf<unknown[]>(
      await client
        .from("analytics_snapshots")
        .select(HIGHLIGHT_COLUMNS)
        .eq("period", period)
        .order("period_start", { ascending: false })
        .order("version", { ascending: false })
        .limit(1),
    );
    return highlightsSchema.safeParse(rows[0]).data ?? null;
  };
  const [week, day] = await Promise.all([newest("week"), newest("day")]);
  return { week, day };
}

/** The range up to yesterday; where that is not measured yet (it is at 06:00 UTC), up to the period before it. */
export function withoutUnmeasured(range: Range, earlier: Range, snapshots: readonly Snapshot[]): Range {
  const last = range.starts.at(-1);
  return snapshots.length > 0 && !snapshots.some((one) => one.period_start === last) ? earlier : range;
}
