/** The database as the signed-in person may see it, for the browser. */
import { createBrowserClient } from "@supabase/ssr";
import type { SupabaseClient } from "@supabase/supabase-js";

import { supabaseAddress } from "@/lib/environment";
import type { Database } from "@/lib/supabase/types";

/** One client for each page: @supabase/ssr keeps it. Sessions in addresses are components/auth/link-arrival.tsx's work. */
export function browserClient(): SupabaseClient<Database> {
  const { url, key } = supabaseAddress();
  return createBrowserClient<Database>(url, key, { auth: { detectSessionInUrl: false } });
}
