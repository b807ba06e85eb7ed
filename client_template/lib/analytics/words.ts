/** Figures as people read them, in the organization's locale: numbers, rates, changes, names of periods. */
import { config } from "@/lib/config";

import { isRate, type FigureName, type Point, type State } from "./figures";
import { addDays } from "./ranges";
import type { PeriodKind } from "./snapshots";

export const NOT_KNOWN = "not known";
export const NOTHING_TO_COUNT = "nothing to count";

export function number(value: number): string {
  return new Intl.NumberFormat(config.locale).format(value);
}

/** 0.0312 is "3,1%". */
export function percent(fraction: number): string {
  return new Intl.NumberFormat(config.locale, { style: "percent", maximumFractionDigits: 1 }).format(fraction);
}

export function value(name: FigureName, figure: number | null, state: State = "known"): string {
  if (figure === null) return state === "nothing" ? NOTHING_TO_COUNT : NOT_KNOWN;
  return isRate(name) ? percent(figure) : number(figure);
}

function dayText(day: string, options: Intl.DateTimeFormatOptions): string {
  return new Intl.DateTimeFormat(config.locale, { ...options, timeZone: "UTC" }).format(new Date(`${day}T00:00:00Z`));
}

/** "23 Nov", "16 Nov – 22 Nov", "Nov 2026". */
export function periodName(kind: PeriodKind, point: Pick<Point, "start" | "end">): string {
  if (kind === "month") return dayText(point.start, { month: "short", year: "numeric" });
  const first = dayText(point.start, { day: "numeric", month: "short" });
  if (kind === "day") return first;
  return `${first} – ${dayText(addDays(point.end, -1), { day: "numeric", month: "short" })}`;
}

/** Monday is 0. */
export function weekdayName(weekday: number): string {
  return dayText(addDays("2024-01-01", weekday), { weekday: "long" });
}

export function hourName(hour: number): string {
  return `${String(hour).padStart(2, "0")}:00`;
}

/** "+12% on the 28 days before", "as the 7 days before"; the number itself where nothing was there to grow from. */
export function changeText(change: { change: number; percent: number | null }, before: string): string {
  if (change.change === 0) return `as the ${before} before`;
  const sign = { signDisplay: "exceptZero" } as const;
  const text =
    change.percent === null
      ? new Intl.NumberFormat(config.locale, sign).format(change.change)
      : new Intl.NumberFormat(config.locale, { ...sign, style: "percent", maximumFractionDigits: 1 }).format(
          change.percent / 100,
        );
  return `${text} on the ${before} before`;
}

/** What stands in a table's cell or a chart's tip, with what it lacks. */
export function pointText(name: FigureName, point: Point): string {
  const text = value(name, point.value, point.state);
  const notes = [
    ...(point.state === "missing" || point.state === "partial" ? [point.note] : []),
    ...(point.restated ? ["corrected since it was first told"] : []),
  ];
  return notes.length ? `${text} (${notes.join("; ")})` : text;
}
