/** Quiet hours: two wall times in the organization's zone, or none. The table refuses one without the other, or two alike. */

export type QuietHours = { quiet_from: string | null; quiet_until: string | null };

/** "22:00:00", as the database has it, as "22:00", as a time field has it; empty for none. */
export function timeField(time: string | null): string {
  return time ? time.slice(0, 5) : "";
}

/** The columns to store, or what is wrong with what was typed. */
export function quietHours(from: string, until: string): { columns: QuietHours } | { fault: string } {
  if (!from && !until) return { columns: { quiet_from: null, quiet_until: null } };
  if (!from || !until) return { fault: "Say both when the quiet hours begin and when they end." };
  if (from === until) return { fault: "The quiet hours must end at another time than they begin." };
  return { columns: { quiet_from: from, quiet_until: until } };
}
