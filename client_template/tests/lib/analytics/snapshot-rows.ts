/** Rows of analytics_snapshots as the API gives them, made for tests: figures of a day unless said otherwise. */
import { addDays } from "@/lib/analytics/ranges";
import { METRICS, type Figure, type Metric, type Part, type Snapshot } from "@/lib/analytics/snapshots";

const NONE: Figure = { value: null, posts: 0, missing: 0, carried: 0 };

export function known(value: number, posts = 1): Figure {
  return { value, posts, missing: 0, carried: 0 };
}

export function partOf(gained: Partial<Record<Metric, Figure>>, more: Partial<Part> = {}): Part {
  const metrics = Object.fromEntries(METRICS.map((name) => [name, gained[name] ?? NONE]));
  return {
    posts: { published: 1, measured: 1 },
    gained: metrics,
    engagements: { value: null, gained: null, posts: 0 },
    rate_by_reach: { value: null, posts: 0 },
    rate_by_views: { value: null, posts: 0 },
    ...more,
  };
}

export function day(start: string, part: Part, more: Partial<Snapshot> = {}): Snapshot {
  return {
    ...part,
    id: `id-${start}-${more.version ?? 1}`,
    period: "day",
    period_start: start,
    period_end: addDays(start, 1),
    version: 1,
    created_at: `${addDays(start, 1)}T06:05:00+00:00`,
    schema: 1,
    restated: false,
    platforms: {},
    missing: [],
    anomalies: [],
    days_without_readings: [],
    ...more,
  };
}
