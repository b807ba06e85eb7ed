/**
 * The database and Auth past row level security, for what a session cannot do: sending invitations.
 *
 * Whoever uses this has checked before, with the person's own session, that the person may.
 */
import "server-only";

import { createClient } from "@supabase/supabase-js";

import { ApiError } from "@/lib/api/answers";
import { supabaseAddress } from "@/lib/environment";

/** Untyped: lib/supabase/types.ts knows only what signed-in people may read and write. */
export function secretClient() {
  const key = process.env.SUPABASE_SECRET_KEY;
  if (!key) {
    console.error("SUPABASE_SECRET_KEY must be set; see .env.example");
    const message = "This app cannot send invitations at the moment. The person is added; please tell your agency.";
    throw new ApiError(502, { code: "not_set_up", message });
  }
  return createClient(supabaseAddress().url, key, { auth: { persistSession: false, autoRefreshToken: false } });
}
