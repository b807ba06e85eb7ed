/**
 * Who is asking, on the server: the session's token is verified, then the database says who that is.
 *
 * Not here: what roles may do (lib/roles.ts, free of server code), signing in and out (app/(auth)).
 */
import "server-only";

import type { SupabaseClient } from "@supabase/supabase-js";
import { cache } from "react";

import type { Role } from "@/lib/roles";
import { serverClient } from "@/lib/supabase/server";
import type { Database } from "@/lib/supabase/types";

export { can, ROLES, type Action, type Role } from "@/lib/roles";

export interface Person {
  id: string;
  email: string;
  fullName: string | null;
  role: Role;
}

/** Nobody: no valid session. Stranger: signed in, but no active member of this organization. */
export type Session =
  | { kind: "nobody" }
  | { kind: "stranger"; email: string }
  | { kind: "person"; person: Person };

/**
 * Asked once for each request, however many components want to know.
 *
 * Throws when the database cannot be asked: that is not the same as nobody being there.
 */
export const currentSession = cache(async (): Promise<Session> => {
  const supabase = await serverClient();
  const { data, error } = await supabase.auth.getClaims();
  if (error && error.status !== undefined && error.status >= 500) {
    throw new Error("The sign-in service does not answer.", { cause: error });
  }
  if (error || !data) return { kind: "nobody" };
  const { sub, email } = data.claims;
  const person = await member(supabase, sub);
  if (person !== "unknown") return person === "refused" ? { kind: "nobody" } : { kind: "person", person };
  // Somebody whom an admin added, here for the first time: the database ties the row to whom Auth knows by that address.
  const joined = await supabase.rpc("join_organization");
  const known = joined.data ? await member(supabase, sub) : "unknown";
  return typeof known === "string" ? { kind: "stranger", email: email ?? "" } : { kind: "person", person: known };
});

async function member(supabase: SupabaseClient<Database>, accountId: string): Promise<Person | "unknown" | "refused"> {
  const answer = await supabase
    .from("users")
    .select("id, email, full_name, role")
    .eq("auth_user_id", accountId)
    .eq("is_active", true)
    .maybeSingle();
  if (answer.status === 401) return "refused";
  if (answer.error) throw new Error("The database does not answer.", { cause: answer.error });
  if (!answer.data) return "unknown";
  const { id, email, full_name: fullName, role } = answer.data;
  return { id, email, fullName, role };
}

/** The signed-in member of this organization, or null. */
export async function currentPerson(): Promise<Person | null> {
  const session = await currentSession();
  return session.kind === "person" ? session.person : null;
}
