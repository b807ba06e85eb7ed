/** Answers of Supabase Auth in words that say what happened and what to do. Its own texts are for developers. */

const TEXTS: Record<string, string> = {
  invalid_credentials: "That e-mail address and password do not belong together. Check both, or ask for a sign-in link.",
  email_not_confirmed: "This address is not confirmed yet. Open the invitation in your mailbox first.",
  user_banned: "This account has been closed. Ask the owner of your organization.",
  over_request_rate_limit: "That was too often in a short time. Wait a minute, then try again.",
  over_email_send_rate_limit: "A link went out a moment ago. Look into your mailbox; another can be sent in a minute.",
  otp_expired: "This link was used already or is too old. Ask for a new one below.",
  otp_disabled: "Nobody with this address is invited. Ask the owner of your organization.",
  signup_disabled: "Nobody with this address is invited. Ask the owner of your organization.",
  user_not_found: "Nobody with this address is invited. Ask the owner of your organization.",
  same_password: "This is the password that you have already. Choose another one.",
  weak_password: "This password is too easy to guess. Take a longer one, such as four words.",
  session_not_found: "Your session has ended. Open your link again, or sign in.",
  bad_code_verifier: "Open the link in the browser in which you asked for it, or ask for a new one here.",
  flow_state_not_found: "Open the link in the browser in which you asked for it, or ask for a new one here.",
};

const AWAY = "The sign-in service cannot be reached. Nothing was lost: check your connection and try again.";

/** For an error of supabase.auth, or the code of one. */
export function authProblem(error: { code?: string; status?: number; name?: string } | string): string {
  const { code, status, name } = typeof error === "string" ? { code: error } : error;
  const known = code ? TEXTS[code] : undefined;
  if (known) return known;
  if (name === "AuthRetryableFetchError" || status === 0 || (status !== undefined && status >= 500)) return AWAY;
  if (status === 429) return TEXTS.over_request_rate_limit!;
  if (name === "AuthSessionMissingError") return TEXTS.session_not_found!;
  return "That did not work. Try again; if it goes on, ask the owner of your organization.";
}
