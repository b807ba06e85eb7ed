/** Spans of the calendar in the organization's zone: what a month or a week shows, and how it is called. */
import { DateTime } from "luxon";

import { config } from "@/lib/config";

export type CalendarUnit = "month" | "week";
export type Span = { unit: CalendarUnit; from: string; until: string; title: string; isNow: boolean };

/** The days that are shown around `day` (ISO date): whole weeks from Monday, `until` excluded. */
export function spanAround(day: string, unit: CalendarUnit, now: number): Span {
  const at = DateTime.fromISO(day, { zone: config.timezone, locale: config.locale });
  const start = at.startOf(unit).startOf("week");
  const until = at.endOf(unit).endOf("week").plus({ milliseconds: 1 });
  const today = DateTime.fromMillis(now, { zone: config.timezone });
  return {
    unit,
    from: start.toUTC().toISO({ suppressMilliseconds: true }) ?? "",
    until: until.toUTC().toISO({ suppressMilliseconds: true }) ?? "",
    title:
      unit === "month"
        ? at.toFormat("LLLL yyyy")
        : `${start.toFormat("d LLL")} – ${until.minus({ days: 1 }).toFormat("d LLL yyyy")}`,
    isNow: today.hasSame(at, unit),
  };
}

/** The day that is `count` months or weeks away. */
export function stepFrom(day: string, unit: CalendarUnit, count: number): string {
  const at = DateTime.fromISO(day, { zone: config.timezone });
  return (
    at
      .startOf(unit)
      .plus({ [`${unit}s`]: count })
      .toISODate() ?? day
  );
}

export function today(now: number): string {
  return DateTime.fromMillis(now, { zone: config.timezone }).toISODate() ?? "";
}
