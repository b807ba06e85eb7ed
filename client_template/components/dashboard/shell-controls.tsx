"use client";

/**
 * The menus of the app's frame. They are fetched after the page: nothing in them is needed to read it, and together they
 * weigh as much as a page. Until then their places are kept.
 */
import dynamic from "next/dynamic";

import { cn } from "@/lib/utils/classes";

function Place({ className }: { className?: string }) {
  return <span aria-hidden className={cn("block size-10 animate-pulse rounded-lg bg-surface-muted", className)} />;
}

export const ThemeToggle = dynamic(() => import("@/components/dashboard/theme-toggle").then((one) => one.ThemeToggle), {
  ssr: false,
  loading: () => <Place />,
});

export const NotificationBell = dynamic(
  () => import("@/components/dashboard/notification-bell").then((one) => one.NotificationBell),
  { ssr: false, loading: () => <Place /> },
);

export const AccountMenu = dynamic(() => import("@/components/dashboard/account-menu").then((one) => one.AccountMenu), {
  ssr: false,
  loading: () => <Place />,
});

export const MorePlaces = dynamic(() => import("@/components/dashboard/more-places").then((one) => one.MorePlaces), {
  ssr: false,
  loading: () => <span aria-hidden className="h-15 min-w-0 flex-1" />,
});
