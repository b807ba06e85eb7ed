/**
 * What happens before every page: the session is refreshed, who has none goes to the login page, and the answer gets
 * its Content Security Policy.
 *
 * Not here: what a person may see. Pages ask lib/session.ts, and the database's policies decide.
 */
import { createServerClient } from "@supabase/ssr";
import { NextResponse, type NextRequest } from "next/server";

import { supabaseAddress } from "@/lib/environment";
import { contentSecurityPolicy } from "@/lib/security";

const OPEN = ["/login", "/register", "/auth/"];

export async function proxy(request: NextRequest): Promise<NextResponse> {
  const { url, key } = supabaseAddress();
  const nonce = btoa(crypto.randomUUID());
  const policy = contentSecurityPolicy(nonce, url, process.env.NODE_ENV === "development");
  const cookies: { name: string; value: string; options: object }[] = [];
  const uncached: Record<string, string> = {};
  const supabase = createServerClient(url, key, {
    cookies: {
      getAll: () => request.cookies.getAll(),
      setAll: (changes, headers) => {
        for (const { name, value } of changes) request.cookies.set(name, value);
        cookies.push(...changes);
        Object.assign(uncached, headers);
      },
    },
  });
  // Nothing may come between making the client and this call: it is what refreshes the session.
  const { data, error } = await supabase.auth.getClaims();
  // A service that does not answer is not the same as nobody being there: the page says so then.
  const isAway = error?.status === undefined ? error?.name === "AuthRetryableFetchError" : error.status >= 500;

  const response = answer(request, { isSignedIn: Boolean(data?.claims) || isAway, nonce, policy });
  for (const { name, value, options } of cookies) response.cookies.set(name, value, options);
  for (const [name, value] of Object.entries(uncached)) response.headers.set(name, value);
  response.headers.set("Content-Security-Policy", policy);
  return response;
}

function answer(
  request: NextRequest,
  { isSignedIn, nonce, policy }: { isSignedIn: boolean; nonce: string; policy: string },
): NextResponse {
  const { pathname, search } = request.nextUrl;
  const isOpen = OPEN.some((path) => (path.endsWith("/") ? pathname.startsWith(path) : pathname === path));
  if (!isSignedIn && !isOpen) {
    const login = request.nextUrl.clone();
    login.pathname = "/login";
    login.search = "";
    if (pathname !== "/") login.searchParams.set("next", pathname + search);
    return NextResponse.redirect(login);
  }
  const headers = new Headers(request.headers);
  // Next.js takes the nonce for its own scripts out of this header.
  headers.set("Content-Security-Policy", policy);
  headers.set("x-nonce", nonce);
  return NextResponse.next({ request: { headers } });
}

export const config = {
  // API routes answer for themselves. What has a file's ending is below /public.
  matcher: ["/((?!api/|_next/|.*\\.[a-z0-9]+$).*)"],
};
