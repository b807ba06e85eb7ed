/**
 * The browser's database client for what stands on every page: fetched when it is first asked, after the page is there.
 * Pages of their own take lib/supabase/client.ts.
 */
import type { browserClient } from "@/lib/supabase/client";

export async function lazyClient(): Promise<ReturnType<typeof browserClient>> {
  return (await import("@/lib/supabase/client")).browserClient();
}
