/**
 * Rows of analytics_snapshots as the app reads them: their shape, which columns are asked for, which version counts.
 *
 * Not here: what is shown of them (figures.ts), the periods that people choose (ranges.ts). The shape is the one that
 * the server's figures of a period have (schema 1): null is "not known", never 0.
 */
import { z } from "zod";

export const PLATFORMS = ["facebook", "instagram", "linkedin", "x"] as const;
export type Platform = (typeof PLATFORMS)[number];
export const PLATFORM_NAMES: Record<Platform, string> = {
  facebook: "Facebook",
  instagram: "Instagram",
  linkedin: "LinkedIn",
  x: "X",
};

/** A network's name; of one that we do not know, what the data says. */
export function platformName(id: string): string {
  return (PLATFORM_NAMES as Record<string, string>)[id] ?? id;
}

export const METRICS = [
  "views",
  "reach",
  "reactions",
  "comments",
  "shares",
  "saves",
  "quotes",
  "clicks",
  "video_views",
] as const;
export type Metric = (typeof METRICS)[number];
/** Which metrics make an engagement. */
export const ENGAGEMENTS: readonly Metric[] = ["reactions", "comments", "shares", "saves", "quotes"];

const figure = z.object({
  value: z.number().nullable(),
  posts: z.number(),
  missing: z.number(),
  carried: z.number(),
});
const rate = z.object({ value: z.number().nullable(), posts: z.number() });
const part = z.object({
  posts: z.object({ published: z.number(), measured: z.number() }),
  gained: z.partialRecord(z.enum(METRICS), figure),
  engagements: z.object({ value: z.number().nullable(), gained: z.number().nullable(), posts: z.number() }),
  rate_by_reach: rate,
  rate_by_views: rate,
});
const missing = z.object({ platform: z.string(), metric: z.string(), posts: z.number(), reason: z.string() });
const anomaly = z.object({ figure: z.string(), day: z.string(), value: z.number(), text: z.string() });

export const snapshotSchema = part.extend({
  id: z.string(),
  period: z.enum(["day", "week", "month"]),
  period_start: z.string(),
  period_end: z.string(),
  version: z.number(),
  created_at: z.string(),
  schema: z.literal(1),
  restated: z.boolean().nullish(),
  platforms: z.record(z.string(), part),
  missing: z.array(missing),
  anomalies: z.array(anomaly),
  days_without_readings: z.array(z.string()),
});

export type Figure = z.infer<typeof figure>;
export type Part = z.infer<typeof part>;
export type Missing = z.infer<typeof missing>;
export type Snapshot = z.infer<typeof snapshotSchema>;
export type PeriodKind = Snapshot["period"];

/** What charts need, and not the ids of all readings behind them, which are most of a row. */
export const SNAPSHOT_COLUMNS = [
  "id, period, period_start, period_end, version, created_at",
  ...[
    "schema",
    "restated",
    "posts",
    "gained",
    "engagements",
    "rate_by_reach",
    "rate_by_views",
    "platforms",
    "missing",
    "anomalies",
    "days_without_readings",
  ].map((name) => `${name}:metrics->${name}`),
].join(", ");

export const highlightsSchema = z.object({
  period_start: z.string(),
  period_end: z.string(),
  version: z.number(),
  top_posts: z.array(
    z.object({
      post_id: z.string(),
      platform: z.string(),
      text: z.string(),
      url: z.string().nullable(),
      engagements: z.number().nullable(),
      reach: z.number().nullable(),
      rate: z.number().nullable(),
    }),
  ),
  best_times: z.array(
    z.object({
      weekday: z.number(),
      hour: z.number(),
      rate: z.number().nullable(),
      low: z.number(),
      high: z.number(),
      posts: z.number(),
    }),
  ),
  best_times_note: z.string().nullish(),
});
export type Highlights = z.infer<typeof highlightsSchema>;
export const HIGHLIGHT_COLUMNS =
  "period_start, period_end, version, " +
  ["top_posts", "best_times", "best_times_note"].map((name) => `${name}:metrics->${name}`).join(", ");

/** The rows that can be read, and how many cannot: written by a newer server, or damaged. */
export function readSnapshots(rows: readonly unknown[]): { snapshots: Snapshot[]; unreadable: number } {
  const snapshots: Snapshot[] = [];
  for (const row of rows) {
    const read = snapshotSchema.safeParse(row);
    if (read.success) snapshots.push(read.data);
  }
  return { snapshots, unreadable: rows.length - snapshots.length };
}

/** The newest version of each period, oldest period first. */
export function newestVersions(snapshots: readonly Snapshot[]): Snapshot[] {
  const newest = new Map<string, Snapshot>();
  for (const one of snapshots) {
    const key = `${one.period} ${one.period_start}`;
    const before = newest.get(key);
    if (!before || before.version < one.version) newest.set(key, one);
  }
  return [...newest.values()].sort((a, b) => a.period_start.localeCompare(b.period_start));
}
