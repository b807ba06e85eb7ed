/** The database as the signed-in person may see it, for server components and API routes. Never with the secret key. */
import "server-only";

import { createServerClient } from "@supabase/ssr";
import type { SupabaseClient } from "@supabase/supabase-js";
import { cookies } from "next/headers";

import { supabaseAddress } from "@/lib/environment";
import type { Database } from "@/lib/supabase/types";

/** A client of its own for each request: sessions of two people must never meet. */
export async function serverClient(): Promise<SupabaseClient<Database>> {
  const { url, key } = supabaseAddress();
  const store = await cookies();
  return createServerClient<Database>(url, key, {
    cookies: {
      getAll: () => store.getAll(),
      setAll: (changes) => {
        try {
          for (const { name, value, options } of changes) store.set(name, value, options);
        } catch {
          // Server components cannot set cookies. proxy.ts has refreshed the session before they run.
        }
      },
    },
  });
}
