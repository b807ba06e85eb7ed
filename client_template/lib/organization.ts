/** The organization's own settings: which there are, within which bounds the database takes them. */
import { z } from "zod";

const zones = () => new Set([...Intl.supportedValuesOf("timeZone"), "UTC"]);

function isLocale(text: string): boolean {
  try {
    return Intl.getCanonicalLocales(text).length === 1;
  } catch {
    return false;
  }
}

const whole = (least: number, most: number) =>
  z.coerce
    .number({ error: "Write a whole number." })
    .int({ error: "Write a whole number." })
    .min(least, { error: `At least ${least}.` })
    .max(most, { error: `At most ${most}.` });

export const organizationSchema = z.object({
  name: z.string().trim().min(1, { error: "The organization needs a name." }).max(200, { error: "At most 200 characters." }),
  timezone: z.string().refine((zone) => zones().has(zone), { error: "Choose one of the list." }),
  locale: z.string().refine(isLocale, { error: "Write a language tag such as en-ZA." }),
  country: z.string().regex(/^[A-Z]{2}$/, { error: "Two capital letters, such as ZA." }),
  requires_approval: z.boolean(),
  skips_public_holidays: z.boolean(),
  late_posts: z.enum(["publish", "ask", "drop"]),
  late_after_minutes: whole(1, 10_080),
  reminder_hours: whole(1, 720),
  escalation_hours: whole(1, 1440),
  undo_hours: whole(0, 720),
});
export type OrganizationSettings = z.infer<typeof organizationSchema>;
/** As typed: numbers are still texts. */
export type TypedSettings = { [Name in keyof OrganizationSettings]: OrganizationSettings[Name] extends number ? string : OrganizationSettings[Name] };
export const ORGANIZATION_COLUMNS = Object.keys(organizationSchema.shape).join(", ");

export function typedOf(stored: OrganizationSettings): TypedSettings {
  return {
    ...stored,
    late_after_minutes: String(stored.late_after_minutes),
    reminder_hours: String(stored.reminder_hours),
    escalation_hours: String(stored.escalation_hours),
    undo_hours: String(stored.undo_hours),
  };
}

/** The columns to store, or each field's fault. An emptied number is a fault, not 0. */
export function checkSettings(
  typed: TypedSettings,
): { columns: OrganizationSettings } | { faults: Partial<Record<keyof OrganizationSettings, string>> } {
  const entries = Object.entries(typed).map(([name, value]) => [name, value === "" ? undefined : value]);
  const read = organizationSchema.safeParse({ ...Object.fromEntries(entries), name: typed.name });
  if (read.success) return { columns: read.data };
  const faults: Partial<Record<keyof OrganizationSettings, string>> = {};
  for (const issue of read.error.issues) faults[issue.path[0] as keyof OrganizationSettings] ??= issue.message;
  return { faults };
}
