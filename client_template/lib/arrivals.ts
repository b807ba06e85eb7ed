/**
 * What links of Supabase Auth bring along behind the #: a session, or why there is none.
 *
 * Invitations and links that DraggonnB sends are made on the server, so they cannot carry a PKCE code.
 * Not here: links with a code or a token_hash (app/auth/callback).
 */
export type Arrival =
  | { kind: "session"; accessToken: string; refreshToken: string; choosesPassword: boolean }
  | { kind: "problem"; code: string };

/** Links after which the person has no password, or has forgotten it. */
const WITHOUT_PASSWORD = ["invite", "recovery", "signup"];

/** Where the person goes on after a link of this type. */
export function choosesPassword(type: string | null): boolean {
  return type !== null && WITHOUT_PASSWORD.includes(type);
}

export function readArrival(fragment: string): Arrival | null {
  const values = new URLSearchParams(fragment.replace(/^#/, ""));
  const accessToken = values.get("access_token");
  const refreshToken = values.get("refresh_token");
  if (accessToken && refreshToken) {
    return { kind: "session", accessToken, refreshToken, choosesPassword: choosesPassword(values.get("type")) };
  }
  if (values.get("error")) return { kind: "problem", code: values.get("error_code") ?? "unknown" };
  return null;
}
