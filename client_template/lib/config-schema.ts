/**
 * The shape of client.config.json, and its check. The build runs it (next.config.ts): a file with a mistake is never
 * deployed, and no browser has to load the check.
 */
import { z } from "zod";

export const MODULES = ["leads", "content", "publishing", "analytics"] as const;

const colour = z.string().regex(/^#[0-9a-f]{6}$/i, "must be a colour such as #0f766e");

const locale = z.string().refine((name) => {
  try {
    return Intl.getCanonicalLocales(name).length === 1;
  } catch {
    return false;
  }
}, "must be a language tag such as en-ZA");

const timezone = z.string().refine((zone) => {
  try {
    return Boolean(new Intl.DateTimeFormat("en", { timeZone: zone }));
  } catch {
    return false;
  }
}, "must be a time zone such as Africa/Johannesburg");

export const clientConfig = z.strictObject({
  version: z.literal(1),
  slug: z.string().min(1),
  name: z.string().min(1),
  locale,
  timezone,
  branding: z.strictObject({
    primaryColor: colour,
    accentColor: colour,
    /** A path below /public, such as /logo.svg. */
    logo: z
      .string()
      .regex(/^\/(?!\/)/, "must be a path below /public, such as /logo.svg")
      .nullable(),
  }),
  modules: z.array(z.enum(MODULES)),
});

export type ClientConfig = z.infer<typeof clientConfig>;
