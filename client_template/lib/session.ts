/**
 * Who is asking, on the server: the session's token is verified, then the database says who that is.
 *
 * Not here: what roles may do (lib/roles.ts, free of server code), signing in and out (app/(auth)).
 */
import "server-only";

import { cache } from "react";

import type { Role } from "@/lib/roles";
import { serverClient } from "@/lib/supabase/server";

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
  const answer = await supabase
    .from("users")
    .select("id, email, full_name, role")
    .eq("auth_user_id", sub)
    .eq("is_active", true)
    .maybeSingle();
  if (answer.status === 401) return { kind: "nobody" };
  if (answer.error) throw new Error("The database does not answer.", { cause: answer.error });
  if (!answer.data) return { kind: "stranger", email: email ?? "" };
  const { id, email: address, full_name, role } = answer.data;
  return { kind: "person", person: { id, email: address, fullName: full_name, role: role as Role } };
});

/** The signed-in member of this organization, or null. */
export async function currentPerson(): Promise<Person | null> {
  const session = await currentSession();
  return session.kind === "person" ? session.person : null;
}
