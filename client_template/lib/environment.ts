/**
 * The public variables: what every visitor's browser may know. The secret ones are read where they are used.
 *
 * Next.js puts the values in the place of these names when it builds, so each must be written out in full.
 */
export function supabaseAddress(): { url: string; key: string } {
  const url = process.env.NEXT_PUBLIC_SUPABASE_URL;
  const key = process.env.NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY;
  if (!url || !key) {
    throw new Error("NEXT_PUBLIC_SUPABASE_URL and NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY must be set; see .env.example");
  }
  return { url: url.replace(/\/+$/, ""), key };
}

/** Where the app answers, without a slash at the end; empty where it is not known. */
export function siteUrl(): string {
  return (process.env.NEXT_PUBLIC_SITE_URL ?? "").replace(/\/+$/, "");
}
