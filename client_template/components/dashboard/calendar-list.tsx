import { PlatformMark } from "@/components/dashboard/platform-mark";
import { PostState } from "@/components/dashboard/post-state";
import type { Post } from "@/lib/posts/data";
import { platformNames } from "@/lib/posts/platforms";
import { formatDay } from "@/lib/utils/dates";
import { inZone } from "@/lib/utils/zone";

/** Posts day by day: what phones show instead of a grid, and what reads best aloud. */
export function CalendarList({ posts, onOpen }: { posts: readonly Post[]; onOpen: (id: string) => void }) {
  const days = new Map<string, Post[]>();
  for (const post of posts.toSorted((a, b) => Date.parse(a.scheduled_for ?? "") - Date.parse(b.scheduled_for ?? ""))) {
    const day = post.scheduled_for === null ? null : inZone(post.scheduled_for).toISODate();
    if (day) days.set(day, [...(days.get(day) ?? []), post]);
  }
  return (
    <ol className="flex flex-col gap-5">
      {[...days].map(([day, those]) => (
        <li key={day}>
          <h3 className="mb-2 text-sm font-semibold">{formatDay(day)}</h3>
          <ul className="flex flex-col gap-2">
            {those.map((post) => (
              <li key={post.id}>
                <PostRow post={post} time={inZone(post.scheduled_for ?? "").toFormat("HH:mm")} onOpen={onOpen} />
              </li>
            ))}
          </ul>
        </li>
      ))}
    </ol>
  );
}

export function PostRow({ post, time, onOpen }: { post: Post; time: string; onOpen: (id: string) => void }) {
  return (
    <button
      type="button"
      onClick={() => onOpen(post.id)}
      className={
        "flex w-full cursor-pointer items-start gap-3 rounded-lg border border-line bg-surface px-3 py-2 text-left " +
        "text-sm hover:bg-surface-muted"
      }
    >
      <span className="w-12 shrink-0 font-semibold tabular-nums">{time}</span>
      <span className="flex min-w-0 flex-1 flex-col gap-1">
        <span className="line-clamp-2 break-words">{post.title ?? post.content}</span>
        <span className="flex flex-wrap items-center gap-2">
          <PostState status={post.status} />
          <span className="flex gap-1">
            <span className="sr-only">{platformNames(post.platform_ids)}</span>
            {post.platform_ids.map((platform) => (
              <PlatformMark key={platform} platform={platform} className="size-4" />
            ))}
          </span>
        </span>
      </span>
    </button>
  );
}
