/**
 * What a chart, a tile, a table and an export say of a period: the number, or why there is none.
 *
 * The one place that decides what counts as known. A day on which nothing was read carries the values of the day
 * before, so that its gain is a 0 which nobody counted: that is missing here, and never drawn as 0.
 */
import { addDays, addMonths, type Range } from "./ranges";
import { ENGAGEMENTS, type Metric, type Part, type PeriodKind, type Platform, type Snapshot } from "./snapshots";

export const FIGURES = {
  published: "Posts published",
  views: "Views",
  reach: "Reach",
  engagements: "Engagements",
  reactions: "Reactions",
  comments: "Comments",
  shares: "Shares",
  saves: "Saves",
  quotes: "Quotes",
  clicks: "Clicks",
  video_views: "Video views",
  rate_by_reach: "Engagement rate, of reach",
  rate_by_views: "Engagement rate, of views",
} as const;
export type FigureName = keyof typeof FIGURES;
export const FIGURE_NAMES = Object.keys(FIGURES) as FigureName[];

export function isRate(name: FigureName): boolean {
  return name === "rate_by_reach" || name === "rate_by_views";
}

/** known: all of it. partial: without some posts. missing: not known. nothing: there was nothing to count. */
export type State = "known" | "partial" | "missing" | "nothing";

/** One figure of one period. `value` is null where it is missing or there was nothing to count; `note` says why. */
export type Point = {
  start: string;
  end: string;
  state: State;
  value: number | null;
  note: string | null;
  restated: boolean;
};

const NOT_TAKEN = "no figures were taken";
const NOT_READ = "no numbers were read on this day";
const ALL_CARRIED = "not counted on this day; older posts are counted once a week";
const AFTER_SILENCE = "holds what came in on the day before as well, when no numbers were read";

function periodEnd(kind: PeriodKind, start: string): string {
  return kind === "day" ? addDays(start, 1) : kind === "week" ? addDays(start, 7) : addMonths(start, 1);
}

type Reading = { value: number | null; missing: number; posts: number; carried: number };

function metricOf(part: Part, metric: Metric): Reading {
  return part.gained[metric] ?? { value: null, missing: 0, posts: 0, carried: 0 };
}

/** Engagements are carried only where each of their metrics is, and miss as many posts as the worst of them. */
function engagementsOf(part: Part): Reading {
  const parts = ENGAGEMENTS.map((metric) => metricOf(part, metric));
  const told = parts.filter((one) => one.posts > 0);
  const posts = Math.max(0, ...told.map((one) => one.posts));
  return {
    value: part.engagements.gained,
    missing: Math.max(0, ...parts.map((one) => one.missing)),
    posts,
    carried: told.every((one) => one.carried >= one.posts) ? posts : 0,
  };
}

function readingOf(part: Part, name: FigureName): Reading {
  if (name === "published") return { value: part.posts.published, missing: 0, posts: 0, carried: 0 };
  if (name === "engagements") return engagementsOf(part);
  if (name === "rate_by_reach" || name === "rate_by_views") {
    const base = metricOf(part, name === "rate_by_reach" ? "reach" : "views");
    const { value, posts } = part[name];
    return { value, posts, missing: part.posts.published > 0 ? base.missing : 0, carried: 0 };
  }
  return metricOf(part, name);
}

function withoutPosts(missing: number): string {
  return missing === 1 ? "without 1 post that was not counted" : `without ${missing} posts that were not counted`;
}

function pointOf(snapshot: Snapshot, name: FigureName, platform: Platform | null, before: Snapshot | undefined): Point {
  const point = {
    start: snapshot.period_start,
    end: snapshot.period_end,
    restated: snapshot.restated === true || snapshot.version > 1,
  };
  const part = platform === null ? snapshot : snapshot.platforms[platform];
  const nothing = { ...point, state: "nothing", value: null, note: "nothing to count" } as const;
  if (!part) return name === "published" ? { ...point, state: "known", value: 0, note: null } : nothing;
  const { value, missing, posts, carried } = readingOf(part, name);
  if (value === null) {
    return missing > 0 ? { ...point, state: "missing", value, note: whyMissing(snapshot, name, platform) } : nothing;
  }
  const isGain = name !== "published" && !isRate(name) && snapshot.period === "day";
  if (isGain && isSilent(snapshot)) {
    const state = value === 0 ? "missing" : "partial";
    return { ...point, state, value: value === 0 ? null : value, note: NOT_READ };
  }
  if (isGain && value === 0 && posts > 0 && carried >= posts) {
    return { ...point, state: "missing", value: null, note: ALL_CARRIED };
  }
  const notes = [
    ...(missing > 0 ? [withoutPosts(missing)] : []),
    ...(isGain && before && isSilent(before) ? [AFTER_SILENCE] : []),
  ];
  return { ...point, state: notes.length ? "partial" : "known", value, note: notes.join("; ") || null };
}

/** A day of which nothing was read on the day after, as the server says. */
function isSilent(snapshot: Snapshot): boolean {
  return snapshot.period === "day" && snapshot.days_without_readings.includes(snapshot.period_start);
}

function whyMissing(snapshot: Snapshot, name: FigureName, platform: Platform | null): string {
  const base = name === "rate_by_reach" ? "reach" : name === "rate_by_views" ? "views" : name;
  const metrics: readonly string[] = name === "engagements" ? ENGAGEMENTS : [base];
  const row = snapshot.missing.find(
    (one) =>
      (platform === null || one.platform === platform) && (one.metric === "all" || metrics.includes(one.metric)),
  );
  return row ? row.reason : "not known";
}

/** One figure over a range: a point for each of its periods, also for those without a row. */
export function seriesOf(
  snapshots: readonly Snapshot[],
  range: Pick<Range, "kind" | "starts">,
  name: FigureName,
  platform: Platform | null,
): Point[] {
  const rows = new Map(snapshots.filter((one) => one.period === range.kind).map((one) => [one.period_start, one]));
  return range.starts.map((start) => {
    const row = rows.get(start);
    if (row) return pointOf(row, name, platform, rows.get(addDays(start, -1)));
    const end = periodEnd(range.kind, start);
    return { start, end, state: "missing", value: null, note: NOT_TAKEN, restated: false };
  });
}

/** The sum of what is known: null if nothing is. `missing` and `partial` count periods. */
export type Total = { value: number | null; missing: number; partial: number };

export function totalOf(points: readonly Point[]): Total {
  const known = points.filter((point) => point.value !== null);
  return {
    value: known.length ? known.reduce((sum, point) => sum + (point.value ?? 0), 0) : null,
    missing: points.filter((point) => point.state === "missing").length,
    partial: points.filter((point) => point.state === "partial").length,
  };
}

/**
 * Against the range before. Null where either sum lacks a period: such a change would be the gap's, not the posts'.
 * `percent` is null where nothing was there that could have grown.
 */
export function changeOf(now: Total, before: Total): { change: number; percent: number | null } | null {
  if (now.value === null || before.value === null || now.missing > 0 || before.missing > 0) return null;
  const change = now.value - before.value;
  return { change, percent: before.value > 0 ? (100 * change) / before.value : null };
}

/** What the periods of a range could not hold, each reason once, the most posts first. */
export function missingOf(snapshots: readonly Snapshot[], platform: Platform | null): Snapshot["missing"] {
  const worst = new Map<string, Snapshot["missing"][number]>();
  for (const row of snapshots.flatMap((one) => one.missing)) {
    if (platform !== null && row.platform !== platform) continue;
    const key = `${row.platform} ${row.metric} ${row.reason}`;
    if ((worst.get(key)?.posts ?? 0) < row.posts) worst.set(key, row);
  }
  return [...worst.values()].sort((a, b) => b.posts - a.posts || a.platform.localeCompare(b.platform));
}
