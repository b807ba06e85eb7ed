/** Moments as people of this organization read them: in its zone and its language, whatever the browser's are. */
import { DateTime } from "luxon";

import { config } from "@/lib/config";

/** A moment from the database (ISO 8601 with offset) in the organization's zone. */
export function inZone(iso: string): DateTime {
  return DateTime.fromISO(iso, { zone: config.timezone, locale: config.locale });
}

/** Such as "Mon, 23 Nov 2026"; a plain date (2026-11-23) stays that day in every zone. */
export function formatDay(iso: string): string {
  return shown(iso, { weekday: "short", day: "numeric", month: "short", year: "numeric" });
}

/** Such as "Mon, 23 Nov 2026, 09:30". */
export function formatMoment(iso: string): string {
  return shown(iso, {
    weekday: "short",
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  });
}

/** Such as "3 hours ago", for what is recent; the day for what is older than a week. */
export function formatAgo(iso: string, now: DateTime = DateTime.now()): string {
  const moment = inZone(iso);
  if (!moment.isValid) return "";
  if (Math.abs(now.diff(moment, "days").days) >= 7) return formatDay(iso);
  if (Math.abs(now.diff(moment, "seconds").seconds) < 45) return "just now";
  return moment.toRelative({ base: now }) ?? formatDay(iso);
}

/** What cannot be read as a date is shown as nothing, not as an error's name. */
function shown(iso: string, format: Intl.DateTimeFormatOptions): string {
  const moment = inZone(iso);
  return moment.isValid ? moment.toLocaleString(format) : "";
}
