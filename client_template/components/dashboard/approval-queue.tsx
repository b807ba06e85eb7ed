"use client";

/**
 * The posts that wait for a decision, one at a time. What is approved is the content that was on the screen: its hash
 * goes with the decision, and an edit in between is shown and has to be read first. Decisions show at once and come
 * back if the server refuses. Not here: one post with its decision (review-card.tsx).
 */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Keyboard } from "lucide-react";
import Link from "next/link";
import { useId, useRef, useState } from "react";

import { PostState } from "@/components/dashboard/post-state";
import { ReviewCard } from "@/components/dashboard/review-card";
import { Button } from "@/components/ui/button";
import { EmptyState } from "@/components/ui/empty-state";
import { ErrorState } from "@/components/ui/error-state";
import { Skeleton } from "@/components/ui/skeleton";
import { Switch } from "@/components/ui/switch";
import { toast } from "@/components/ui/toast";
import { decide, type ReviewDecision } from "@/lib/posts/calls";
import { postsInReview, type Post } from "@/lib/posts/data";
import { platformNames } from "@/lib/posts/platforms";
import { told } from "@/lib/posts/told";
import { useDraft } from "@/lib/use-draft";
import { useShortcuts } from "@/lib/use-shortcuts";
import { cn } from "@/lib/utils/classes";
import { formatMoment } from "@/lib/utils/dates";

const LOOK_AGAIN_MS = 20_000;
const QUEUE = ["posts", "in_review"] as const;
const DONE: Record<ReviewDecision, string> = {
  approve: "Approved. It goes onto the queue within a quarter of an hour.",
  request_changes: "Sent back to its editors with your reason.",
  reject: "Rejected. It will never go out.",
};

interface Order {
  seen: Post;
  decision: ReviewDecision;
  comment: string;
}

export function ApprovalQueue({ personId, mayDecide }: { personId: string; mayDecide: boolean }) {
  const queries = useQueryClient();
  const found = useQuery({ queryKey: QUEUE, queryFn: postsInReview, refetchInterval: LOOK_AGAIN_MS });
  const [currentId, setCurrentId] = useState<string | null>(null);
  const [seen, setSeen] = useState<Record<string, Post>>({});
  const [hasNoShortcuts, setHasNoShortcuts] = useDraft("no-shortcuts", (kept) => (kept === true ? true : null));
  const heading = useRef<HTMLHeadingElement>(null);

  const posts = found.data ?? [];
  const place = Math.max(
    posts.findIndex((post) => post.id === currentId),
    0,
  );
  const current = posts[place];
  // What was first on the screen is what a decision is about, whatever arrives later.
  if (current && !seen[current.id]) setSeen({ ...seen, [current.id]: current });

  const go = (to: number) => {
    const next = posts[Math.min(Math.max(to, 0), posts.length - 1)];
    if (next) setCurrentId(next.id);
    heading.current?.focus();
  };

  const decision = useMutation({
    mutationFn: ({ seen: post, decision: what, comment }: Order) =>
      decide({ post_id: post.id, content_hash: post.content_hash, decision: what, comment }),
    onMutate: async ({ seen: post }) => {
      await queries.cancelQueries({ queryKey: QUEUE });
      const before = queries.getQueryData<Post[]>(QUEUE);
      const at = before?.findIndex((one) => one.id === post.id) ?? 0;
      const rest = before?.filter((one) => one.id !== post.id) ?? [];
      queries.setQueryData(QUEUE, rest);
      setCurrentId(rest[Math.min(at, rest.length - 1)]?.id ?? null);
      heading.current?.focus();
      return { before };
    },
    onSuccess: (_, { decision: what }) => toast.success(DONE[what]),
    onError: (error, { seen: post }, kept) => {
      queries.setQueryData(QUEUE, kept?.before);
      setCurrentId(post.id);
      toast.error("The decision was not taken", { description: told(error) });
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["posts"] }),
  });

  useShortcuts(!hasNoShortcuts, { j: () => go(place + 1), k: () => go(place - 1) });

  if (found.isPending) return <Loading />;
  if (!found.data) {
    return (
      <ErrorState
        title="The posts in review could not be read"
        detail={told(found.error)}
        retry={() => void found.refetch()}
      />
    );
  }
  const shown = current && (seen[current.id] ?? current);
  return (
    <div className="flex flex-col gap-4">
      {found.isError ? (
        <p role="status" className="text-sm text-warn">
          The connection is lost; this shows what was known last. Trying again.
        </p>
      ) : null}
      <h2 ref={heading} tabIndex={-1} className="text-sm text-text-muted" aria-live="polite">
        {posts.length ? `Post ${place + 1} of ${posts.length}` : "No post waits"}
      </h2>
      {current && shown ? (
        <div className="grid grid-cols-1 items-start gap-5 lg:grid-cols-[minmax(0,18rem)_minmax(0,1fr)]">
          <nav aria-label="Posts in review" className="flex flex-col gap-3">
            <ol className="flex gap-2 overflow-x-auto lg:flex-col lg:overflow-visible">
              {posts.map((post) => (
                <li key={post.id} className="w-56 shrink-0 lg:w-auto">
                  <button
                    type="button"
                    aria-current={post.id === current.id ? "true" : undefined}
                    onClick={() => setCurrentId(post.id)}
                    className={cn(
                      "flex w-full cursor-pointer flex-col items-start gap-1 rounded-lg border border-line bg-surface",
                      "px-3 py-2 text-left text-sm hover:bg-surface-muted",
                      post.id === current.id && "border-brand-text bg-brand-soft",
                    )}
                  >
                    <span className="line-clamp-2 font-medium break-words">{post.title ?? post.content}</span>
                    <span className="text-xs text-text-muted">
                      {platformNames(post.platform_ids)}
                      {post.scheduled_for ? ` · ${formatMoment(post.scheduled_for)}` : ""}
                    </span>
                    {post.findings.some((finding) => finding.severity === "block") ? (
                      <PostState status="blocked" />
                    ) : null}
                  </button>
                </li>
              ))}
            </ol>
            <Shortcuts isOn={!hasNoShortcuts} onChange={(isOn) => setHasNoShortcuts(isOn ? null : true)} />
          </nav>
          <ReviewCard
            key={current.id}
            seen={shown}
            latest={current}
            personId={personId}
            mayDecide={mayDecide}
            hasShortcuts={!hasNoShortcuts}
            onRead={() => setSeen({ ...seen, [current.id]: current })}
            onDecide={(what, comment, onDone) =>
              decision.mutate({ seen: shown, decision: what, comment }, { onSuccess: onDone })
            }
          />
        </div>
      ) : (
        <EmptyState
          title="Nothing waits for approval"
          action={
            <Button asChild variant="secondary">
              <Link href="/calendar">Look at the calendar</Link>
            </Button>
          }
        >
          When a post is written or changed, it appears here.
        </EmptyState>
      )}
    </div>
  );
}

function Loading() {
  return (
    <div className="grid gap-5 lg:grid-cols-[18rem_1fr]">
      <span role="status" className="sr-only">
        Loading the posts in review
      </span>
      <Skeleton className="h-40" />
      <Skeleton className="h-96" />
    </div>
  );
}

const KEYS: [string, string][] = [
  ["J / K", "next, previous"],
  ["A", "approve"],
  ["C", "ask for a change"],
  ["R", "reject"],
];

function Shortcuts({ isOn, onChange }: { isOn: boolean; onChange: (isOn: boolean) => void }) {
  const id = useId();
  return (
    <div className="hidden flex-col gap-2 text-sm text-text-muted lg:flex">
      <div className="flex items-center gap-2">
        <Switch id={id} checked={isOn} onCheckedChange={onChange} />
        <label htmlFor={id} className="flex items-center gap-1.5">
          <Keyboard className="size-4" aria-hidden />
          Keyboard shortcuts
        </label>
      </div>
      {isOn ? (
        <dl className="grid grid-cols-[auto_1fr] gap-x-3 gap-y-1">
          {KEYS.map(([key, does]) => (
            <div key={key} className="contents">
              <dt>
                <kbd className="rounded border border-line bg-surface-muted px-1.5 font-mono text-xs">{key}</kbd>
              </dt>
              <dd>{does}</dd>
            </div>
          ))}
        </dl>
      ) : null}
    </div>
  );
}
