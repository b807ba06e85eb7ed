/**
 * Publish times as people say them: a wall time in the organization's zone, and the one instant that it means. The same
 * rules as the server's: a time in a gap of the clocks is refused with its two neighbours, one that comes twice means
 * its first occurrence, and nothing is planned for the past or for more than a year ahead.
 */
import { DateTime, FixedOffsetZone, IANAZone } from "luxon";

const GRACE_MINUTES = 5;
const MAX_DAYS_AHEAD = 366;
const MINUTE = 60_000;
const WALL = "yyyy-MM-dd HH:mm";
const FIELD = "yyyy-MM-dd'T'HH:mm";

export type Resolved = {
  /** ISO 8601 in UTC, for `scheduled_for`. */
  utc: string;
  /** `2026-12-01 09:00 Africa/Johannesburg`, for `scheduled_local`. */
  text: string;
};
export type WallTimeAnswer = { ok: true; at: Resolved } | { ok: false; reason: string };

/** The instant of `2026-12-01T09:00` in a zone, as a field of type datetime-local gives it. */
export function resolveWallTime(local: string, zone: string): WallTimeAnswer {
  const wall = DateTime.fromISO(local, { zone: "utc" });
  if (!/^\d{4}-\d\d-\d\d[T ]\d\d:\d\d/.test(local) || !wall.isValid) {
    return { ok: false, reason: "is not a time; choose a day and an hour" };
  }
  if (wall.year < 1900 || wall.year > 2999) return { ok: false, reason: "is no day or no time of the calendar" };
  const naive = wall.startOf("minute").toMillis();
  const [first] = instantsOf(naive, zone);
  if (first === undefined) {
    const [before, after] = gapAround(naive, zone);
    const reason = `the clocks of ${zone} skip this time; the nearest real times are ${before} and ${after}`;
    return { ok: false, reason };
  }
  return { ok: true, at: resolved(first, zone) };
}

/** As `resolveWallTime`, for a time at which something is to go out. */
export function publishTime(local: string, zone: string, now: number): WallTimeAnswer {
  const answer = resolveWallTime(local, zone);
  if (!answer.ok) return answer;
  return refusal(Date.parse(answer.at.utc), now) ?? answer;
}

/** The same for an instant, as a calendar gives it when a post was dropped there. */
export function publishInstant(utc: number, zone: string, now: number): WallTimeAnswer {
  const minute = Math.floor(utc / MINUTE) * MINUTE;
  return refusal(minute, now) ?? { ok: true, at: resolved(minute, zone) };
}

/** An instant as a field of type datetime-local wants it. */
export function asFieldValue(utc: string, zone: string): string {
  return DateTime.fromISO(utc, { zone }).toFormat(FIELD);
}

function refusal(utc: number, now: number): WallTimeAnswer | null {
  const late = now - utc;
  if (late > GRACE_MINUTES * MINUTE) return { ok: false, reason: `is ${inWords(late)} in the past` };
  if (-late > MAX_DAYS_AHEAD * 1440 * MINUTE) {
    return { ok: false, reason: `is ${inWords(-late)} ahead; ${MAX_DAYS_AHEAD} days at most can be planned` };
  }
  return null;
}

/** The instants at which clocks of the zone show this wall time: one, none in a gap, two where they go back. */
function instantsOf(naive: number, zone: string): number[] {
  const tz = IANAZone.create(zone);
  const offsets = new Set([naive - 1440 * MINUTE, naive, naive + 1440 * MINUTE].map((at) => tz.offset(at)));
  return [...offsets]
    .map((offset) => naive - offset * MINUTE)
    .filter((instant) => instant + tz.offset(instant) * MINUTE === naive)
    .sort((a, b) => a - b);
}

/** The last wall time before a gap and the first one after it; between them lies one minute of real time. */
function gapAround(naive: number, zone: string): [string, string] {
  const tz = IANAZone.create(zone);
  let [early, late] = [
    naive - 1440 * MINUTE - tz.offset(naive) * MINUTE,
    naive + 1440 * MINUTE - tz.offset(naive) * MINUTE,
  ];
  const before = tz.offset(early);
  while (late - early > MINUTE) {
    const middle = early + Math.floor((late - early) / MINUTE / 2) * MINUTE;
    if (tz.offset(middle) === before) early = middle;
    else late = middle;
  }
  return [wallText(early, zone), wallText(late, zone)];
}

function resolved(instant: number, zone: string): Resolved {
  const there = DateTime.fromMillis(instant, { zone });
  const [first] = instantsOf(instant + there.offset * MINUTE, zone);
  // The second of two equal wall times bears its offset; without it the text would mean the first.
  const offset = first === instant ? "" : FixedOffsetZone.instance(there.offset).formatOffset(instant, "short");
  return {
    utc: new Date(instant).toISOString().replace(/\.\d+Z$/, "Z"),
    text: `${wallText(instant, zone)}${offset} ${zone}`,
  };
}

function wallText(instant: number, zone: string): string {
  return DateTime.fromMillis(instant, { zone }).toFormat(WALL);
}

/** `3 days 4 hours`, `40 minutes`: the two largest units, the rest cut off. */
export function inWords(milliseconds: number): string {
  const total = Math.floor(milliseconds / MINUTE);
  if (total < 1) return "less than a minute";
  const days = Math.floor(total / 1440);
  const counts: [number, string][] = [
    [days, "day"],
    [Math.floor(total / 60) % 24, "hour"],
    [days ? 0 : total % 60, "minute"],
  ];
  return counts
    .filter(([count]) => count)
    .map(([count, unit]) => `${count} ${unit}${count === 1 ? "" : "s"}`)
    .join(" ");
}
