/**
 * What only a person can settle: whether a post whose answer was lost is public, whether one that is late still goes
 * out. The pipeline applies an answer within a quarter of an hour. Not here: the cards (publish-questions.tsx).
 */
import { dataOf } from "@/lib/data-error";
import { browserClient } from "@/lib/supabase/client";
import type { Platform } from "./platforms";

export type PublishAnswer = "published" | "not-published" | "publish" | "drop" | "deleted";

export type PublishQuestion = {
  id: string;
  platform_id: Platform;
  question: string;
  attempts: number;
  part_kind: "post" | "reply" | "comment";
  publish_at: string;
  undo_requested_at: string | null;
  post: { title: string | null; content: string } | null;
  answers: { action: string; applied_at: string | null; outcome: string | null; created_at: string }[];
};

const QUESTION =
  "id,platform_id,question,attempts,part_kind,publish_at,undo_requested_at,post:social_posts(title,content)," +
  "answers:publish_answers(action,applied_at,outcome,created_at)";

/** Every open question, the oldest post first. */
export async function openQuestions(): Promise<PublishQuestion[]> {
  const rows = dataOf(
    await browserClient()
      .from("content_queue")
      .select(QUESTION)
      .eq("status", "needs_review")
      .order("publish_at")
      .limit(100),
  ) as unknown as PublishQuestion[];
  return rows.map((row) => ({
    ...row,
    answers: [...row.answers].sort((a, b) => b.created_at.localeCompare(a.created_at)),
  }));
}

/** The answers that fit, as the pipeline sees it: it refuses the others. */
export function fittingAnswers({ undo_requested_at, attempts }: PublishQuestion): PublishAnswer[] {
  if (undo_requested_at) return ["deleted", "published"];
  return attempts > 0 ? ["published", "not-published", "drop"] : ["publish", "drop"];
}

/** @param url where the post is, as the browser shows it. */
export async function answerQuestion(id: string, action: PublishAnswer, url: string | null): Promise<void> {
  dataOf(
    await browserClient().rpc("answer_about_post", { queue_id: id, action, ...(url ? { url } : {}) }),
  );
}
