/**
 * The periods that a person can choose, and the days, weeks or months in them. Dates are the organization's own calendar
 * days as "2026-11-23"; arithmetic on them knows no zones and no clocks.
 */
import type { PeriodKind } from "./snapshots";

const DAY_MS = 86_400_000;

export const RANGES = {
  "7d": { label: "7 days", kind: "day", count: 7 },
  "28d": { label: "28 days", kind: "day", count: 28 },
  "90d": { label: "90 days", kind: "day", count: 90 },
  "12w": { label: "12 weeks", kind: "week", count: 12 },
  "12m": { label: "12 months", kind: "month", count: 12 },
} as const satisfies Record<string, { label: string; kind: PeriodKind; count: number }>;
export type RangeKey = keyof typeof RANGES;

export function isRangeKey(text: string | null | undefined): text is RangeKey {
  return text != null && Object.hasOwn(RANGES, text);
}

/** The starts of a range's periods, oldest first, and of as many before it to compare with. */
export type Range = { key: RangeKey; kind: PeriodKind; starts: string[]; before: string[] };

/** Today's date in a zone. */
export function localDay(now: Date, zone: string): string {
  return new Intl.DateTimeFormat("en-CA", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" }).format(
    now,
  );
}

export function addDays(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);
}

export function addMonths(firstOfMonth: string, months: number): string {
  const [year = 0, month = 1] = firstOfMonth.split("-").map(Number);
  return new Date(Date.UTC(year, month - 1 + months, 1)).toISOString().slice(0, 10);
}

/** The Monday on which a day's week began. */
export function mondayOf(day: string): string {
  const weekday = new Date(`${day}T00:00:00Z`).getUTCDay();
  return addDays(day, -((weekday + 6) % 7));
}

/** The range up to the last day, week or month that is over on `today`, or up to one that is `skipped` periods older. */
export function rangeOf(key: RangeKey, today: string, skipped = 0): Range {
  const { kind, count } = RANGES[key];
  const back = (ago: number): string => {
    const periods = ago + skipped;
    if (kind === "day") return addDays(today, -periods);
    if (kind === "week") return addDays(mondayOf(today), -7 * periods);
    return addMonths(`${today.slice(0, 7)}-01`, -periods);
  };
  const starts = Array.from({ length: 2 * count }, (_, place) => back(2 * count - place));
  return { key, kind, before: starts.slice(0, count), starts: starts.slice(count) };
}
