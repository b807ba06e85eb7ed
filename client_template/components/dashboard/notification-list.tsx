"use client";

/** What the signed-in person was told, newest first; read or unread. New ones appear by themselves. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { BellOff } from "lucide-react";
import { useState } from "react";

import { Button } from "@/components/ui/button";
import { EmptyState } from "@/components/ui/empty-state";
import { ErrorState } from "@/components/ui/error-state";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { dataAs, dataOf, explain } from "@/lib/data-error";
import { appOrWebLink } from "@/lib/safe-link";
import { browserClient } from "@/lib/supabase/client";
import { cn } from "@/lib/utils/classes";
import { formatAgo, formatMoment } from "@/lib/utils/dates";

const PAGE = 50;
const LOOK_AGAIN_MS = 60_000;
// Below the bell's key, so that whoever tells the bell to look again tells this list as well.
const KEY = ["notifications", "list"];

type Item = {
  id: string;
  message: string;
  metadata: { link?: string | null; lead_id?: string | null };
  read_at: string | null;
  created_at: string;
};

export function NotificationList() {
  const [shown, setShown] = useState(PAGE);
  const cache = useQueryClient();
  const query = useQuery({
    queryKey: [...KEY, shown],
    queryFn: async () =>
      dataAs<Item[]>(
        await browserClient()
          .from("notifications")
          .select("id, message, metadata, read_at, created_at")
          .order("created_at", { ascending: false })
          .limit(shown),
      ),
    refetchInterval: LOOK_AGAIN_MS,
    placeholderData: (before) => before,
  });
  const read = useMutation({
    mutationFn: async ({ ids, at }: { ids: string[]; at: string | null }) => {
      dataOf(await browserClient().from("notifications").update({ read_at: at }).in("id", ids));
    },
    onMutate: async ({ ids, at }) => {
      await cache.cancelQueries({ queryKey: KEY });
      const before = cache.getQueriesData<Item[]>({ queryKey: KEY });
      cache.setQueriesData<Item[]>({ queryKey: KEY }, (items) =>
        items?.map((item) => (ids.includes(item.id) ? { ...item, read_at: at } : item)),
      );
      return before;
    },
    onError: (error, _, before) => {
      for (const [key, items] of before ?? []) cache.setQueryData(key, items);
      toast.error("It stays as it was", { description: explain(error) });
    },
    onSettled: () => cache.invalidateQueries({ queryKey: ["notifications"] }),
  });

  if (query.isPending) {
    return (
      <div role="status" aria-label="Loading the notifications" className="flex flex-col gap-2">
        {[0, 1, 2, 3].map((row) => (
          <Skeleton key={row} className="h-16" />
        ))}
      </div>
    );
  }
  if (query.isError) {
    return (
      <ErrorState
        title="The notifications could not be loaded"
        detail={explain(query.error)}
        retry={() => void query.refetch()}
      />
    );
  }
  const items = query.data;
  if (items.length === 0) {
    return (
      <EmptyState title="Nothing yet" icon={BellOff}>
        New leads, posts that wait for you and accounts in trouble are told here.
      </EmptyState>
    );
  }
  const unread = items.filter((item) => item.read_at === null).map((item) => item.id);
  const mark = (ids: string[], isRead: boolean) => read.mutate({ ids, at: isRead ? new Date().toISOString() : null });
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <p className="text-sm text-text-muted" role="status">
          {unread.length === 0 ? "All read" : `${unread.length} unread`}
        </p>
        <Button variant="secondary" size="sm" disabled={unread.length === 0} onClick={() => mark(unread, true)}>
          Mark all as read
        </Button>
      </div>
      <ul className="flex flex-col overflow-hidden rounded-xl border border-line bg-surface">
        {items.map((item) => (
          <Row key={item.id} item={item} onMark={(isRead) => mark([item.id], isRead)} />
        ))}
      </ul>
      {items.length >= shown ? (
        <Button variant="secondary" className="self-center" onClick={() => setShown(shown + PAGE)} loading={query.isFetching}>
          Show older ones
        </Button>
      ) : null}
    </div>
  );
}

function Row({ item, onMark }: { item: Item; onMark: (isRead: boolean) => void }) {
  const isUnread = item.read_at === null;
  const link = appOrWebLink(item.metadata?.link) ?? (item.metadata?.lead_id ? `/leads/${item.metadata.lead_id}` : null);
  return (
    <li className={cn("flex flex-wrap items-start gap-x-4 gap-y-1 border-b border-line p-4 last:border-0", isUnread && "bg-brand-soft")}>
      <div className="flex min-w-0 flex-1 basis-60 flex-col gap-0.5 text-sm">
        <p className={cn("break-words", isUnread && "font-semibold")}>
          {isUnread ? <span className="sr-only">Unread: </span> : null}
          {item.message}
        </p>
        <time dateTime={item.created_at} title={formatMoment(item.created_at)} className="text-xs text-text-muted">
          {formatAgo(item.created_at)}
        </time>
      </div>
      <div className="flex items-center gap-2">
        {link ? (
          <Button asChild variant="secondary" size="sm">
            <a href={link} onClick={() => isUnread && onMark(true)} {...(link.startsWith("/") ? {} : { target: "_blank", rel: "noreferrer noopener" })}>
              Open
              <span className="sr-only">: {item.message}</span>
            </a>
          </Button>
        ) : null}
        <Button variant="ghost" size="sm" onClick={() => onMark(isUnread)}>
          {isUnread ? "Mark as read" : "Mark as unread"}
          <span className="sr-only">: {item.message}</span>
        </Button>
      </div>
    </li>
  );
}
