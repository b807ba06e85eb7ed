import { redirectTo } from "@/lib/api/answers";
import { isSameOrigin } from "@/lib/api/origin";
import { serverClient } from "@/lib/supabase/server";

/** POST: ends this session, here and in Auth. Another site's form does not. */
export async function POST(request: Request): Promise<Response> {
  if (isSameOrigin(request)) {
    const supabase = await serverClient();
    // Only this one: other devices stay signed in. Cookies go even where Auth does not answer.
    await supabase.auth.signOut({ scope: "local" });
  }
  return redirectTo("/login");
}
