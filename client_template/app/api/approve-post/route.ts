/**
 * POST {post_id, content_hash, decision: approve|request_changes|reject, comment}: a decision about exactly the content
 * that was shown. It is made by the database's own function with the person's session, which also compares the hash and
 * writes the audit log.
 */
import type { PostgrestError, SupabaseClient } from "@supabase/supabase-js";
import { z } from "zod";

import { answer, ApiError } from "@/lib/api/answers";
import { bodyAs, personRoute } from "@/lib/api/person-route";
import { RateLimit } from "@/lib/api/rate-limit";
import type { Database } from "@/lib/supabase/types";

const limit = new RateLimit(60);

const decisionOnPost = z
  .strictObject({
    post_id: z.uuid(),
    content_hash: z.string().regex(/^[0-9a-f]{64}$/, "must be the hash of the content that was shown"),
    decision: z.enum(["approve", "request_changes", "reject"]),
    comment: z.string().trim().max(4000, "Shorten it to 4000 characters.").default(""),
  })
  .refine(({ decision, comment }) => decision === "approve" || comment.length > 0, {
    path: ["comment"],
    message: "Say why, so that the editor can act on it.",
  });

type Decision = z.infer<typeof decisionOnPost>;

// Without `action`: single people may have the right to approve beyond their role. The function knows.
export const POST = personRoute({ limit }, async ({ request, supabase }) => {
  const decision = await bodyAs(request, decisionOnPost);
  const { error } = await decide(supabase, decision);
  if (error) throw refusal(error);
  return answer(200, { post_id: decision.post_id, decision: decision.decision });
});

function decide(supabase: SupabaseClient<Database>, { post_id, content_hash, decision, comment }: Decision) {
  if (decision === "approve") return supabase.rpc("approve_post", { post_id, content_hash });
  const refuse = decision === "reject" ? "reject_post" : "request_post_changes";
  return supabase.rpc(refuse, { post_id, content_hash, reason: comment });
}

function refusal(error: PostgrestError): ApiError {
  if (error.code === "42501") {
    return new ApiError(403, { code: "forbidden", message: "Only approvers and owners decide on posts." });
  }
  if (error.code === "22023") {
    const message = "The post was changed or decided on since you opened it. Read it again, then decide.";
    return new ApiError(409, { code: "changed", message });
  }
  console.error("a decision was not taken", error.code);
  const message = "The database did not take the decision. Your comment is kept; try again in a moment.";
  return new ApiError(503, { code: "unavailable", message }, 5);
}
