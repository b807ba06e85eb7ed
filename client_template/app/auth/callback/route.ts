/**
 * Where links of Supabase Auth lead that carry a code (a link asked for on the login page) or a token_hash (a mail
 * template that names one). Links with a session behind the # are components/auth/link-arrival.tsx's work.
 */
import type { EmailOtpType } from "@supabase/supabase-js";

import { redirectTo } from "@/lib/api/answers";
import { choosesPassword } from "@/lib/arrivals";
import { serverClient } from "@/lib/supabase/server";
import { localPath } from "@/lib/utils/paths";

const TYPES: readonly EmailOtpType[] = ["invite", "recovery", "magiclink", "signup", "email"];

export async function GET(request: Request): Promise<Response> {
  const { searchParams } = new URL(request.url);
  const type = TYPES.find((known) => known === searchParams.get("type")) ?? null;
  const problem = await openSession(searchParams, type);
  if (problem) return redirectTo(`/login?problem=${encodeURIComponent(problem)}`);
  return redirectTo(choosesPassword(type) ? "/register" : localPath(searchParams.get("next"), "/dashboard"));
}

/** The code of the problem, or null when there is a session now. */
async function openSession(query: URLSearchParams, type: EmailOtpType | null): Promise<string | null> {
  const code = query.get("code");
  const tokenHash = query.get("token_hash");
  const supabase = await serverClient();
  if (code) {
    const { error } = await supabase.auth.exchangeCodeForSession(code);
    return error ? (error.code ?? "otp_expired") : null;
  }
  if (tokenHash && type) {
    const { error } = await supabase.auth.verifyOtp({ token_hash: tokenHash, type });
    return error ? (error.code ?? "otp_expired") : null;
  }
  return query.get("error_code") ?? "otp_expired";
}
