/**
 * POST {user_id}: mails somebody of the team a link to come in, and ties the row in `users` to the account in Auth.
 *
 * Tied here and not when the link is opened: an account is a member because an admin said so, never because it claims
 * an address.
 */
import type { AuthError } from "@supabase/supabase-js";
import { z } from "zod";

import { answer, ApiError } from "@/lib/api/answers";
import { bodyAs, personRoute } from "@/lib/api/person-route";
import { RateLimit } from "@/lib/api/rate-limit";
import { siteUrl } from "@/lib/environment";
import { secretClient } from "@/lib/supabase/secret";

const limit = new RateLimit(10);
const invitation = z.strictObject({ user_id: z.uuid() });

export const POST = personRoute({ limit, action: "manage_team" }, async ({ request, supabase, person }) => {
  const { user_id } = await bodyAs(request, invitation);
  const { data: invited, error } = await supabase
    .from("users")
    .select("id, email, role, is_active, auth_user_id")
    .eq("id", user_id)
    .maybeSingle();
  if (error) throw unavailable("the person cannot be read", error.code);
  if (!invited?.is_active) {
    throw new ApiError(404, { code: "unknown_person", message: "Only active people of the team are invited." });
  }
  if (invited.role === "owner" && person.role !== "owner") {
    throw new ApiError(403, { code: "forbidden", message: "Only an owner invites an owner." });
  }
  const accountId = await invite(invited.email);
  if (invited.auth_user_id !== accountId) await tie(user_id, accountId);
  return answer(200, { user_id, invited: true });
});

/** The account's id in Auth. Who has confirmed the address already gets a link to sign in. */
async function invite(email: string): Promise<string> {
  const { auth } = secretClient();
  const redirectTo = siteUrl() || undefined;
  const first = await auth.admin.inviteUserByEmail(email, { redirectTo });
  if (first.data.user) return first.data.user.id;
  if (first.error?.code !== "email_exists") throw mailFailed(first.error);
  const known = await auth.admin.generateLink({ type: "magiclink", email });
  if (!known.data.user) throw mailFailed(known.error);
  const sent = await auth.signInWithOtp({ email, options: { shouldCreateUser: false, emailRedirectTo: redirectTo } });
  if (sent.error) throw mailFailed(sent.error);
  return known.data.user.id;
}

async function tie(userId: string, accountId: string): Promise<void> {
  const { error } = await secretClient().from("users").update({ auth_user_id: accountId }).eq("id", userId);
  if (error) throw unavailable("the person cannot be tied to the account", error.code);
}

function mailFailed(error: AuthError | null): ApiError {
  if (error?.status === 429) {
    const message = "Too many mails at once. The person is added; send the invitation again in a minute.";
    return new ApiError(429, { code: "too_many_requests", message }, 60);
  }
  return unavailable("no invitation was sent", error?.code);
}

function unavailable(what: string, code: string | undefined): ApiError {
  console.error(what, code);
  const message = "The invitation could not be sent. The person is added; send it again in a moment.";
  return new ApiError(503, { code: "unavailable", message }, 5);
}
