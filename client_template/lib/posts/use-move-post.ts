/** Giving a post another time: shown at once in every list that holds it, taken back if the database refuses. */
import { useMutation, useQueryClient, type QueryKey } from "@tanstack/react-query";

import { toast } from "@/components/ui/toast";
import { formatMoment } from "@/lib/utils/dates";
import { movePost, type Post } from "./data";
import { told } from "./told";
import type { Resolved } from "./wall-time";

const CALENDAR = ["posts", "calendar"] as const;

export function useMovePost() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ post, at }: { post: Post; at: Resolved }) => movePost(post.id, post.scheduled_for, at),
    onMutate: async ({ post, at }) => {
      await queries.cancelQueries({ queryKey: CALENDAR });
      const before = queries.getQueriesData<Post[]>({ queryKey: CALENDAR });
      const moved: Post = { ...post, scheduled_for: at.utc, scheduled_local: at.text };
      for (const [key, posts] of before) {
        if (posts) queries.setQueryData(key, withMoved(key, posts, moved));
      }
      return { before };
    },
    onSuccess: (post) => toast.success(`Moved to ${formatMoment(post.scheduled_for ?? "")}`),
    onError: (error, _, kept) => {
      for (const [key, posts] of kept?.before ?? []) queries.setQueryData(key, posts && [...posts]);
      toast.error("The post was not moved", { description: told(error) });
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["posts"] }),
  });
}

/** A list of the calendar after the move. Its key says which span it shows: ["posts", "calendar", from, until]. */
function withMoved(key: QueryKey, posts: Post[], moved: Post): Post[] {
  const rest = posts.filter((post) => post.id !== moved.id);
  const [, , from, until] = key;
  if (typeof from !== "string" || typeof until !== "string" || moved.scheduled_for === null) return rest;
  const at = Date.parse(moved.scheduled_for);
  return at >= Date.parse(from) && at < Date.parse(until) ? [...rest, moved] : rest;
}
