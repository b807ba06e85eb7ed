"use client";

import { Bell, BellOff, CheckCheck } from "lucide-react";
import Link from "next/link";
import { Popover } from "radix-ui";
import { useState } from "react";

import { useMarkRead, useRecentNotifications, type Notification } from "@/components/dashboard/notifications-data";
import { usePerson } from "@/components/dashboard/person";
import { Button, buttonVariants } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import { siteUrl } from "@/lib/environment";
import { cn } from "@/lib/utils/classes";
import { formatAgo } from "@/lib/utils/dates";
import { localPath } from "@/lib/utils/paths";

export function NotificationBell() {
  const { id } = usePerson();
  const { data, isError, isPending, refetch } = useRecentNotifications(id);
  const markRead = useMarkRead();
  const [isOpen, setOpen] = useState(false);
  const unread = data?.unread ?? 0;
  return (
    <Popover.Root open={isOpen} onOpenChange={setOpen}>
      <Popover.Trigger
        className={cn(buttonVariants({ variant: "ghost", size: "icon" }), "relative")}
        aria-label={unread === 0 ? "Notifications" : `Notifications, ${unread} unread`}
      >
        <Bell aria-hidden />
        {unread > 0 ? (
          <span
            aria-hidden
            className="absolute top-1 right-0.5 flex h-4 min-w-4 items-center justify-center rounded-full bg-bad-strong px-1 text-[0.6875rem] leading-none font-semibold text-white tabular-nums ring-2 ring-background"
          >
            {unread > 99 ? "99+" : unread}
          </span>
        ) : null}
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          align="end"
          sideOffset={6}
          collisionPadding={8}
          aria-label="Notifications"
          className="z-50 flex max-h-[min(32rem,var(--radix-popover-content-available-height))] w-[min(24rem,calc(100vw-1rem))] flex-col rounded-xl border border-line bg-surface text-text shadow-lg data-[state=open]:animate-fade-in"
        >
          <div className="flex h-12 shrink-0 items-center justify-between gap-2 border-b border-line pr-2 pl-4">
            <p className="text-sm font-semibold">Notifications</p>
            {unread > 0 ? (
              <Button variant="ghost" size="sm" loading={markRead.isPending} onClick={() => markRead.mutate("all")}>
                <CheckCheck aria-hidden />
                Mark all as read
              </Button>
            ) : null}
          </div>
          <div className="min-h-0 flex-1 overflow-y-auto">
            {isPending ? <Waiting /> : null}
            {isError && !data ? <Failed retry={() => void refetch()} /> : null}
            {data?.items.length === 0 ? <Nothing /> : null}
            <ul>
              {data?.items.map((item) => (
                <Item
                  key={item.id}
                  item={item}
                  open={() => {
                    if (item.read_at === null) markRead.mutate([item.id]);
                    setOpen(false);
                  }}
                />
              ))}
            </ul>
          </div>
          <Link
            href="/notifications"
            onClick={() => setOpen(false)}
            className="shrink-0 rounded-b-xl border-t border-line px-4 py-3 text-center text-sm font-medium text-brand-text hover:bg-surface-muted"
          >
            All notifications
          </Link>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

function Item({ item, open }: { item: Notification; open: () => void }) {
  const isUnread = item.read_at === null;
  return (
    <li className="border-b border-line last:border-0">
      <Link href={targetOf(item)} onClick={open} className="flex gap-3 px-4 py-3 hover:bg-surface-muted">
        <span
          aria-hidden
          className={cn("mt-1.5 size-2 shrink-0 rounded-full", isUnread ? "bg-brand-text" : "bg-transparent")}
        />
        <span className="min-w-0">
          <span className={cn("line-clamp-3 text-sm leading-5 break-words", isUnread ? "font-medium" : "text-text-muted")}>
            {isUnread ? <span className="sr-only">Unread: </span> : null}
            {item.message}
          </span>
          <time dateTime={item.created_at} className="text-xs leading-4 text-text-muted" suppressHydrationWarning>
            {formatAgo(item.created_at)}
          </time>
        </span>
      </Link>
    </li>
  );
}

/** Where a notification leads: to a page of this app, whatever address its metadata holds. */
export function targetOf({ metadata }: Pick<Notification, "metadata">): string {
  const known = metadata && typeof metadata === "object" && !Array.isArray(metadata) ? metadata : {};
  const { link, lead_id: lead } = known;
  const site = siteUrl();
  if (typeof link === "string" && link) {
    const path = site && link.startsWith(`${site}/`) ? link.slice(site.length) : link;
    return localPath(path, "/notifications");
  }
  return typeof lead === "string" ? `/leads/${encodeURIComponent(lead)}` : "/notifications";
}

function Waiting() {
  return (
    <div role="status" className="flex flex-col gap-4 p-4">
      <span className="sr-only">Loading the notifications</span>
      {[0, 1, 2].map((row) => (
        <div key={row} className="flex flex-col gap-2">
          <Skeleton className="h-4 w-11/12" />
          <Skeleton className="h-3 w-1/4" />
        </div>
      ))}
    </div>
  );
}

function Failed({ retry }: { retry: () => void }) {
  return (
    <div role="alert" className="flex flex-col items-center gap-3 px-6 py-8 text-center text-sm leading-6">
      <p className="text-text-muted">The notifications cannot be read now. We ask again by ourselves.</p>
      <Button variant="secondary" size="sm" onClick={retry}>
        Try now
      </Button>
    </div>
  );
}

function Nothing() {
  return (
    <div className="flex flex-col items-center gap-2 px-6 py-10 text-center">
      <BellOff className="size-6 text-text-muted" aria-hidden />
      <p className="text-sm font-medium">Nothing new</p>
      <p className="text-sm leading-6 text-text-muted">New leads, posts to approve and warnings appear here.</p>
    </div>
  );
}
