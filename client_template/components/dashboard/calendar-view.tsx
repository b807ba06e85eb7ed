"use client";

/**
 * What goes out when, in the organization's zone: month and week as a grid, or as a list (always on phones). A post is
 * moved by dragging it or in its dialog; the move shows at once and comes back if it is refused.
 */
import { useQuery } from "@tanstack/react-query";
import { ChevronLeft, ChevronRight } from "lucide-react";
import dynamic from "next/dynamic";
import Link from "next/link";
import { useState } from "react";

import { CalendarList, PostRow } from "@/components/dashboard/calendar-list";
import { MoveDialog } from "@/components/dashboard/move-dialog";
import { PostState } from "@/components/dashboard/post-state";
import { Button } from "@/components/ui/button";
import { EmptyState } from "@/components/ui/empty-state";
import { ErrorState } from "@/components/ui/error-state";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { config } from "@/lib/config";
import { spanAround, stepFrom, today, type CalendarUnit } from "@/lib/posts/calendar";
import { postsBetween, postsWithoutTime, type Post } from "@/lib/posts/data";
import { POST_STATES, type PostStatus } from "@/lib/posts/states";
import { told } from "@/lib/posts/told";
import { useMovePost } from "@/lib/posts/use-move-post";
import { publishInstant, type Resolved } from "@/lib/posts/wall-time";
import { can, type Role } from "@/lib/roles";
import { useMediaQuery } from "@/lib/use-media-query";

const CalendarGrid = dynamic(() => import("@/components/dashboard/calendar-grid"), {
  ssr: false,
  loading: () => <Skeleton className="h-[36rem]" />,
});
const LOOK_AGAIN_MS = 60_000;
const LEGEND: PostStatus[] = ["draft", "in_review", "scheduled", "published", "blocked", "failed"];
type View = CalendarUnit | "list";
const VIEWS: { view: View; label: string }[] = [
  { view: "month", label: "Month" },
  { view: "week", label: "Week" },
  { view: "list", label: "List" },
];

export function CalendarView({ role, now }: { role: Role; now: number }) {
  const isPhone = useMediaQuery("(max-width: 639px)");
  const [chosen, setView] = useState<View>("month");
  const [day, setDay] = useState(() => today(now));
  const [openId, setOpenId] = useState<string | null>(null);
  const view = isPhone ? "list" : chosen;
  const span = spanAround(day, view === "week" ? "week" : "month", now);
  const found = useQuery({
    queryKey: ["posts", "calendar", span.from, span.until],
    queryFn: () => postsBetween(span.from, span.until),
    refetchInterval: LOOK_AGAIN_MS,
  });
  const unplanned = useQuery({ queryKey: ["posts", "calendar", "without time"], queryFn: postsWithoutTime });
  const move = useMovePost();
  const posts = found.data ?? [];
  const open = [...posts, ...(unplanned.data ?? [])].find((post) => post.id === openId);

  function moveTo(post: Post, at: Resolved) {
    setOpenId(null);
    move.mutate({ post, at });
  }

  function drop(id: string, instant: number): boolean {
    const post = posts.find((one) => one.id === id);
    const answer = publishInstant(instant, config.timezone, Date.now());
    if (!post) return false;
    if (!answer.ok) {
      toast.error("The post was not moved", { description: `This time ${answer.reason}.` });
      return false;
    }
    moveTo(post, answer.at);
    return true;
  }

  return (
    <div className="flex flex-col gap-4">
      <div className="flex flex-wrap items-center gap-2">
        <Button
          variant="secondary"
          size="icon"
          aria-label={`Previous ${span.unit}`}
          onClick={() => setDay(stepFrom(day, span.unit, -1))}
        >
          <ChevronLeft aria-hidden />
        </Button>
        <Button
          variant="secondary"
          size="icon"
          aria-label={`Next ${span.unit}`}
          onClick={() => setDay(stepFrom(day, span.unit, 1))}
        >
          <ChevronRight aria-hidden />
        </Button>
        <Button variant="secondary" onClick={() => setDay(today(Date.now()))} disabled={span.isNow}>
          Today
        </Button>
        <h2 className="text-lg font-semibold tracking-tight" aria-live="polite">
          {span.title}
        </h2>
        {isPhone ? null : (
          <div role="group" aria-label="Calendar as" className="ml-auto flex gap-1 rounded-lg bg-surface-muted p-1">
            {VIEWS.map(({ view: one, label }) => (
              <Button
                key={one}
                size="sm"
                variant="ghost"
                aria-pressed={view === one}
                onClick={() => setView(one)}
                className="aria-pressed:bg-surface aria-pressed:shadow-xs"
              >
                {label}
              </Button>
            ))}
          </div>
        )}
      </div>
      <p className="text-sm text-text-muted">
        All times are those of {config.timezone}.{" "}
        {can(role, "schedule") ? "Drag a post to move it, or open it and type its new time." : ""}
      </p>
      {found.isError && found.data ? (
        <p role="status" className="text-sm text-warn">
          The connection is lost; this shows what was known last. Trying again.
        </p>
      ) : null}
      {found.isPending ? (
        <div>
          <span role="status" className="sr-only">
            Loading the calendar
          </span>
          <Skeleton className="h-[36rem]" />
        </div>
      ) : !found.data ? (
        <ErrorState
          title="The calendar could not be read"
          detail={told(found.error)}
          retry={() => void found.refetch()}
        />
      ) : view !== "list" ? (
        <CalendarGrid posts={posts} role={role} unit={view} day={day} onOpen={setOpenId} onDrop={drop} />
      ) : posts.length ? (
        <CalendarList posts={posts} onOpen={setOpenId} />
      ) : (
        <Nothing title={span.title} role={role} />
      )}
      {found.data && !posts.length && view !== "list" ? <Nothing title={span.title} role={role} /> : null}
      {unplanned.data?.length ? (
        <section aria-label="Posts without a time" className="flex flex-col gap-2">
          <h2 className="text-base font-semibold">Without a time</h2>
          <ul className="grid gap-2 sm:grid-cols-2 lg:grid-cols-3">
            {unplanned.data.map((post) => (
              <li key={post.id}>
                <PostRow post={post} time="none" onOpen={setOpenId} />
              </li>
            ))}
          </ul>
        </section>
      ) : null}
      <ul aria-label="What the states mean" className="flex flex-wrap gap-x-4 gap-y-2 text-xs text-text-muted">
        {LEGEND.map((status) => (
          <li key={status} className="flex items-center gap-1.5">
            <PostState status={status} />
            {POST_STATES[status].means}
          </li>
        ))}
      </ul>
      {open ? <MoveDialog post={open} role={role} onClose={() => setOpenId(null)} onMove={moveTo} /> : null}
    </div>
  );
}

function Nothing({ title, role }: { title: string; role: Role }) {
  return (
    <EmptyState
      title={`Nothing is planned for ${title}`}
      action={
        can(role, "generate") ? (
          <Button asChild>
            <Link href="/generate">Ask for a post</Link>
          </Button>
        ) : undefined
      }
    >
      Posts appear here as soon as they have a time.
    </EmptyState>
  );
}
