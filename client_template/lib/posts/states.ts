/** What a post's state means to people, and whether its time may still be changed. */
import { can, type Role } from "@/lib/roles";
import type { Post } from "./data";

export type Tone = "secondary" | "default" | "warn" | "bad" | "good";

export const POST_STATES = {
  draft: { label: "Draft", tone: "secondary", means: "Somebody is writing it." },
  blocked: { label: "Blocked", tone: "bad", means: "A check keeps it back. Edit it, then send it for approval." },
  in_review: { label: "In review", tone: "warn", means: "Its reviewers were asked." },
  changes_requested: { label: "Change wanted", tone: "warn", means: "A reviewer sent it back with a reason." },
  rejected: { label: "Rejected", tone: "bad", means: "It will never go out." },
  approved: { label: "Approved", tone: "default", means: "It goes onto the queue within a quarter of an hour." },
  scheduled: { label: "Scheduled", tone: "default", means: "It goes out at its time." },
  published: { label: "Published", tone: "good", means: "It is public on all its networks." },
  partly_published: { label: "Partly published", tone: "warn", means: "It is public on some of its networks only." },
  failed: { label: "Failed", tone: "bad", means: "It is public nowhere." },
  withdrawn: { label: "Withdrawn", tone: "secondary", means: "It was public and was taken back." },
  archived: { label: "Archived", tone: "secondary", means: "It will never go out." },
} as const satisfies Record<string, { label: string; tone: Tone; means: string }>;

export type PostStatus = keyof typeof POST_STATES;

/** The states that a person may edit in; the database's policy says the same. */
const EDITABLE: readonly PostStatus[] = ["draft", "blocked", "in_review", "changes_requested", "approved", "scheduled"];
const SUBMITTABLE: readonly PostStatus[] = ["draft", "blocked", "changes_requested"];

export function canEdit(post: Pick<Post, "status">, role: Role): boolean {
  return can(role, "generate") && EDITABLE.includes(post.status);
}

export function canSubmit(post: Pick<Post, "status">): boolean {
  return SUBMITTABLE.includes(post.status);
}

/** Why this post's time cannot be changed, or null if it can. */
export function whyFixed(post: Post, role: Role): string | null {
  if (!can(role, "schedule")) return "Your role may look at the calendar, and not move posts.";
  if (!EDITABLE.includes(post.status))
    return `A post that is ${POST_STATES[post.status].label.toLowerCase()} keeps its time.`;
  if (goesOutOnApproval(post)) return "This post was asked for as soon as it is approved; it has no time of its own.";
  const begun = post.queue.some(
    (row) => row.revision === post.revision && (row.status !== "scheduled" || row.attempts > 0),
  );
  return begun ? "Publishing has begun, so its time stays." : null;
}

/** Asked for without a time: until it is on the queue, the moment of its approval decides. */
export function goesOutOnApproval(post: Post): boolean {
  return Boolean(post.request?.schedule.as_soon_as_approved) && post.status !== "scheduled";
}
