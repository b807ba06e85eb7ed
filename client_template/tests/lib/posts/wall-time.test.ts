/** Wall times in the organization's zone, against the vectors that the server is held against. */
import { expect, test } from "vitest";
import { asFieldValue, inWords, publishInstant, publishTime, resolveWallTime } from "@/lib/posts/wall-time";
import vectors from "../../vectors/wall_time.json";

const NOW = Date.parse("2026-11-23T08:00:00Z");

test.each(vectors.resolve)("$local in $zone", ({ local, zone, utc, text, refused }) => {
  expect(resolveWallTime(local, zone)).toEqual(
    refused === undefined ? { ok: true, at: { utc, text } } : { ok: false, reason: refused },
  );
});

test.each(vectors.as_text)("$utc in $zone is kept as $text", ({ utc, zone, text }) => {
  expect(publishInstant(Date.parse(utc), zone, Date.parse(utc))).toEqual({ ok: true, at: { utc, text } });
});

test("a time may be five minutes past and a year ahead, and no more", () => {
  const zone = "Africa/Johannesburg";

  expect(publishTime("2026-11-23T09:55", zone, NOW).ok).toBe(true);
  expect(publishTime("2026-11-23T09:54", zone, NOW)).toEqual({ ok: false, reason: "is 6 minutes in the past" });
  expect(publishTime("2027-11-24T10:00", zone, NOW).ok).toBe(true);
  expect(publishTime("2027-11-24T10:01", zone, NOW)).toEqual({
    ok: false,
    reason: "is 366 days ahead; 366 days at most can be planned",
  });
  expect(publishTime("soon", zone, NOW)).toEqual({ ok: false, reason: "is not a time; choose a day and an hour" });
});

test("an instant stands in the field as the zone's wall time", () => {
  expect(asFieldValue("2026-12-01T07:00:00+00:00", "Africa/Johannesburg")).toBe("2026-12-01T09:00");
});

test("durations are told in their two largest units", () => {
  expect([0, 60_000, 3_900_000, 273_600_000].map(inWords)).toEqual([
    "less than a minute",
    "1 minute",
    "1 hour 5 minutes",
    "3 days 4 hours",
  ]);
});
