/**
 * Moments as people of this organization read them: in its zone and its language, whatever the browser's are.
 *
 * Not here: reckoning with them (lib/utils/zone.ts, which needs luxon).
 */
import { config } from "@/lib/config";

const DAY = { weekday: "short", day: "numeric", month: "short", year: "numeric" } as const;
const MINUTE = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
const STEPS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
] as const;

/** Such as "Mon, 23 Nov 2026"; a plain date (2026-11-23) stays that day in every zone. */
export function formatDay(iso: string): string {
  return shown(iso, DAY);
}

/** Such as "Mon, 23 Nov 2026, 09:30". */
export function formatMoment(iso: string): string {
  return shown(iso, { ...DAY, ...MINUTE });
}

/** Such as "3 hours ago", for what is recent; the day for what is older than a week. */
export function formatAgo(iso: string, now: Date = new Date()): string {
  const seconds = (new Date(iso).getTime() - now.getTime()) / 1000;
  const age = Math.abs(seconds);
  if (Number.isNaN(age)) return "";
  if (age >= 7 * 86_400) return formatDay(iso);
  if (age < 45) return "just now";
  const [unit, size] = STEPS.find(([, length]) => age >= length) ?? (["minute", 60] as const);
  const count = Math.max(1, Math.floor(age / size));
  return new Intl.RelativeTimeFormat(config.locale).format(seconds < 0 ? -count : count, unit);
}

/** What cannot be read as a date is shown as nothing, not as an error's name. */
function shown(iso: string, format: Intl.DateTimeFormatOptions): string {
  const moment = new Date(iso);
  if (Number.isNaN(moment.getTime())) return "";
  const timeZone = /^\d{4}-\d{2}-\d{2}$/.test(iso) ? "UTC" : config.timezone;
  return new Intl.DateTimeFormat(config.locale, { ...format, timeZone }).format(moment);
}
