/** Reckoning with moments in the organization's zone. A file of its own: luxon is too big for pages that only show dates. */
import { DateTime } from "luxon";

import { config } from "@/lib/config";

/** A moment from the database (ISO 8601 with offset) in the organization's zone. */
export function inZone(iso: string): DateTime {
  return DateTime.fromISO(iso, { zone: config.timezone, locale: config.locale });
}
