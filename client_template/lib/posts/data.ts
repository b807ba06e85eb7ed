/**
 * Posts and requests as the database holds them, read and changed as the signed-in person. Policies decide what is
 * allowed; a change names the state that was seen, so that two people cannot overwrite each other unnoticed.
 */
import { dataOf } from "@/lib/data-error";
import { browserClient } from "@/lib/supabase/client";
import { isPlatform, type Platform } from "./platforms";
import type { Media, Variant } from "./rules";
import type { PostStatus } from "./states";

export type Finding = { rule: string; severity: "block" | "warn"; platform: string | null; reason: string };
export type QueueRow = {
  platform_id: string;
  status: string;
  revision: number;
  attempts: number;
  part: number;
  platform_url: string | null;
  published_at: string | null;
};
export type Decision = { decision: string; comment: string; reviewer: string; decided_at: string };
export type Schedule = { publish_at?: string; next_free_slot?: boolean; as_soon_as_approved?: boolean };

export type Post = {
  id: string;
  title: string | null;
  content: string;
  variants: Partial<Record<Platform, Variant>>;
  media: Media[];
  platform_ids: Platform[];
  status: PostStatus;
  scheduled_for: string | null;
  scheduled_local: string | null;
  revision: number;
  content_hash: string;
  findings: Finding[];
  last_error: string | null;
  request: { schedule: Schedule; brief: string; requested_by: string | null } | null;
  queue: QueueRow[];
  decisions: Decision[];
};

export type ContentRequest = {
  id: string;
  status: "received" | "generated" | "refused" | "needs_review";
  brief: string;
  platform_ids: string[];
  faults: { field: string; detail: string }[];
  review_reason: string | null;
  received_at: string;
};

const POST =
  "id,title,content,variants,media,platform_ids,status,scheduled_for,scheduled_local,revision,content_hash,findings," +
  "last_error,request:content_requests(schedule,brief,requested_by)," +
  "queue:content_queue(platform_id,status,revision,attempts,part,platform_url,published_at)," +
  "decisions:review_decisions(decision,comment,reviewer,decided_at)";
const REQUEST = "id,status,brief,platform_ids,faults,review_reason,received_at";
const MANY = 500;

/** The row is not as it was when it was shown: nothing was changed. */
export class ChangedMeanwhile extends Error {
  constructor() {
    super("It was changed by somebody else, or is at another stage by now. Nothing of yours was saved over it.");
    this.name = "ChangedMeanwhile";
  }
}

/** The posts that go out in a span of time, `until` excluded. */
export async function postsBetween(from: string, until: string): Promise<Post[]> {
  return asPosts(
    await browserClient()
      .from("social_posts")
      .select(POST)
      .gte("scheduled_for", from)
      .lt("scheduled_for", until)
      .not("status", "in", "(rejected,archived)")
      .order("scheduled_for")
      .limit(MANY),
  );
}

/** Posts that somebody still has to plan. */
export async function postsWithoutTime(): Promise<Post[]> {
  return asPosts(
    await browserClient()
      .from("social_posts")
      .select(POST)
      .is("scheduled_for", null)
      .in("status", ["draft", "blocked", "in_review", "changes_requested", "approved"])
      .order("created_at")
      .limit(50),
  );
}

/** What waits for a decision, the soonest first. */
export async function postsInReview(): Promise<Post[]> {
  return asPosts(
    await browserClient()
      .from("social_posts")
      .select(POST)
      .eq("status", "in_review")
      .order("scheduled_for", { nullsFirst: false })
      .order("id")
      .limit(MANY),
  );
}

/** One post, or null: it is not there, or not for this person. */
export async function readPost(id: string): Promise<Post | null> {
  return asPosts(await browserClient().from("social_posts").select(POST).eq("id", id).limit(1))[0] ?? null;
}

/** A request and what came of it. The row appears some seconds after the request was accepted. */
export async function readRequest(id: string): Promise<{ request: ContentRequest | null; post: Post | null }> {
  const client = browserClient();
  const [requests, posts] = await Promise.all([
    client.from("content_requests").select(REQUEST).eq("id", id).limit(1),
    client.from("social_posts").select(POST).eq("request_id", id).limit(1),
  ]);
  const [request] = dataOf(requests) as ContentRequest[];
  return { request: request ?? null, post: asPosts(posts)[0] ?? null };
}

/** The newest requests, for going on with one of them. */
export async function latestRequests(): Promise<ContentRequest[]> {
  return dataOf(
    await browserClient().from("content_requests").select(REQUEST).order("received_at", { ascending: false }).limit(8),
  ) as ContentRequest[];
}

/** Give a post another time. `seen` is the time that was shown. */
export async function movePost(id: string, seen: string | null, to: { utc: string; text: string }): Promise<Post> {
  const update = browserClient()
    .from("social_posts")
    .update({ scheduled_for: to.utc, scheduled_local: to.text })
    .eq("id", id);
  const answer = await (seen === null ? update.is("scheduled_for", null) : update.eq("scheduled_for", seen)).select(
    POST,
  );
  return onlyRow(answer);
}

export type PostEdit = { variants: Partial<Record<Platform, Variant>>; platform_ids: Platform[] };

/** Save the words of a post. `seen` is the hash of the content that was edited. An approval is taken back by this. */
export async function savePost(id: string, seen: string, edit: PostEdit): Promise<Post> {
  const [first] = edit.platform_ids;
  const content = (first && edit.variants[first]?.text) ?? "";
  const answer = await browserClient()
    .from("social_posts")
    .update({ content, variants: edit.variants, platform_ids: edit.platform_ids })
    .eq("id", id)
    .eq("content_hash", seen)
    .select(POST);
  return onlyRow(answer);
}

/** Ask the reviewers. The answer is the hash that an approval must name. */
export async function submitPost(id: string): Promise<string> {
  const answer = await browserClient().rpc("submit_post", { post_id: id });
  if (answer.error?.code === "22023") throw new ChangedMeanwhile();
  return dataOf<string>(answer);
}

function onlyRow(answer: Parameters<typeof dataOf>[0]): Post {
  const [post] = asPosts(answer);
  if (!post) throw new ChangedMeanwhile();
  return post;
}

type Row = Omit<Post, "variants" | "platform_ids"> & {
  variants: Record<string, Partial<Variant>>;
  platform_ids: string[];
};

/** Throws DataError. */
function asPosts(answer: Parameters<typeof dataOf>[0]): Post[] {
  return (dataOf(answer) as Row[]).map((row) => ({
    ...row,
    platform_ids: row.platform_ids.filter(isPlatform),
    variants: Object.fromEntries(
      Object.entries(row.variants).map(([platform, { text = "", thread, first_comment }]) => [
        platform,
        { text, thread: thread ?? [], first_comment: first_comment ?? null },
      ]),
    ),
    decisions: [...(row.decisions ?? [])].sort((a, b) => b.decided_at.localeCompare(a.decided_at)),
    queue: row.queue ?? [],
  }));
}
