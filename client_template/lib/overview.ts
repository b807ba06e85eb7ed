/** Reads what the dashboard's first page shows, as far as the signed-in person may see it. Throws DataError. */
import type { SupabaseClient } from "@supabase/supabase-js";

import { localDay } from "@/lib/analytics/ranges";
import { config } from "@/lib/config";
import { dataAs, dataOf } from "@/lib/data-error";
import type { Counts } from "@/lib/needs-me";
import type { Database } from "@/lib/supabase/types";
import { usageOf, type Usage } from "@/lib/usage";

type Client = SupabaseClient<Database>;
const NEXT_POSTS = 5;

export type NextPost = {
  id: string;
  title: string | null;
  content: string;
  status: string;
  scheduled_for: string;
  platform_ids: string[];
};

export async function readUsage(client: Client): Promise<Usage[]> {
  const counters = dataOf(
    await client.from("usage_counters").select("metric, period_start, period_end, used, reserved, limit_value"),
  );
  return usageOf(counters, localDay(new Date(), config.timezone));
}

export async function readCounts(client: Client): Promise<Counts> {
  const counted = { count: "exact", head: true } as const;
  const [alerts, questions, accounts, review, sentBack, leads, usages] = await Promise.all([
    client.from("alerts").select("id", counted).is("acknowledged_at", null),
    client.from("content_queue").select("id", counted).eq("status", "needs_review"),
    client.from("social_accounts").select("id", counted).in("status", ["reconnect_needed", "permission_missing", "blocked"]),
    client.from("social_posts").select("id", counted).eq("status", "in_review"),
    client.from("social_posts").select("id", counted).in("status", ["blocked", "changes_requested"]),
    client.from("leads").select("id", counted).eq("status", "needs_review"),
    readUsage(client),
  ]);
  const count = (answer: { count: number | null; data: unknown; error: typeof alerts.error; status: number }) => {
    dataOf(answer);
    return answer.count ?? 0;
  };
  return {
    alerts: count(alerts),
    questions: count(questions),
    accounts: count(accounts),
    review: count(review),
    sentBack: count(sentBack),
    leads: count(leads),
    usage: usages.filter((one) => one.level === "near" || one.level === "full").length,
  };
}

export async function readNextPosts(client: Client): Promise<NextPost[]> {
  return dataAs<NextPost[]>(
    await client
      .from("social_posts")
      .select("id, title, content, status, scheduled_for, platform_ids")
      .in("status", ["in_review", "approved", "scheduled"])
      .gte("scheduled_for", new Date().toISOString())
      .order("scheduled_for")
      .limit(NEXT_POSTS),
  );
}
