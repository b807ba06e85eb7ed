"use client";

/** The signed-in person's notifications: by realtime where it is there, by asking again where it is not. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { toast } from "@/components/ui/toast";
import { lazyClient } from "@/lib/supabase/lazy";
import type { Row } from "@/lib/supabase/types";

export type Notification = Pick<
  Row<"notifications">,
  "id" | "type" | "message" | "metadata" | "read_at" | "created_at"
>;

export interface Recent {
  items: Notification[];
  unread: number;
}

export const RECENT_KEY = ["notifications", "recent"] as const;
const SHOWN = 10;
/** Also while realtime works: a message that was lost on the way is found. */
const POLL_MS = { realtime: 180_000, alone: 30_000 };

export function useRecentNotifications(personId: string) {
  const isLive = useRealtime(personId);
  return useQuery({ queryKey: RECENT_KEY, queryFn: recent, refetchInterval: isLive ? POLL_MS.realtime : POLL_MS.alone });
}

async function recent(): Promise<Recent> {
  const supabase = await lazyClient();
  const table = () => supabase.from("notifications");
  const [list, unread] = await Promise.all([
    table().select("id, type, message, metadata, read_at, created_at").order("created_at", { ascending: false }).limit(SHOWN),
    table().select("id", { count: "exact", head: true }).is("read_at", null),
  ]);
  const error = list.error ?? unread.error;
  if (error) throw new Error("the notifications cannot be read", { cause: error });
  return { items: list.data ?? [], unread: unread.count ?? 0 };
}

/** True while the database tells of new rows by itself. What it tells is only a reason to ask: RLS answers. */
function useRealtime(personId: string): boolean {
  const queries = useQueryClient();
  const [isLive, setLive] = useState(false);
  useEffect(() => {
    let isGone = false;
    let leave = () => {};
    void lazyClient().then((supabase) => {
      if (isGone) return;
      const channel = supabase
        .channel(`notifications:${personId}`)
        .on(
          "postgres_changes",
          { event: "*", schema: "public", table: "notifications", filter: `user_id=eq.${personId}` },
          () => void queries.invalidateQueries({ queryKey: ["notifications"] }),
        )
        .subscribe((status) => setLive(status === "SUBSCRIBED"));
      leave = () => void supabase.removeChannel(channel);
    });
    return () => {
      isGone = true;
      leave();
    };
  }, [personId, queries]);
  return isLive;
}

/** Marks these as read: at once on the screen, and back again where the database refuses. */
export function useMarkRead() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async (ids: string[] | "all") => {
      const change = (await lazyClient()).from("notifications").update({ read_at: new Date().toISOString() }).is("read_at", null);
      const { error } = await (ids === "all" ? change : change.in("id", ids));
      if (error) throw new Error("the notifications cannot be marked", { cause: error });
    },
    onMutate: async (ids) => {
      await queries.cancelQueries({ queryKey: RECENT_KEY });
      const before = queries.getQueryData<Recent>(RECENT_KEY);
      queries.setQueryData<Recent>(RECENT_KEY, (known) => known && marked(known, ids));
      return { before };
    },
    onError: (_error, _ids, context) => {
      queries.setQueryData(RECENT_KEY, context?.before);
      toast.error("Not marked as read", { description: "The database did not answer. Try again in a moment." });
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["notifications"] }),
  });
}

export function marked(known: Recent, ids: string[] | "all"): Recent {
  const now = new Date().toISOString();
  const isMeant = (item: Notification) => item.read_at === null && (ids === "all" || ids.includes(item.id));
  const count = known.items.filter(isMeant).length;
  return {
    items: known.items.map((item) => (isMeant(item) ? { ...item, read_at: now } : item)),
    unread: ids === "all" ? 0 : Math.max(0, known.unread - count),
  };
}
