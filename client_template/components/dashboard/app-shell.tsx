/** What stands around every page of the app: menu, name, bell, account. */
import Link from "next/link";
import type { ReactNode } from "react";

import { BrandMark } from "@/components/dashboard/brand-mark";
import { ConnectionNotice } from "@/components/dashboard/connection-notice";
import { SideNav, ThumbNav } from "@/components/dashboard/nav";
import { NewPost } from "@/components/dashboard/new-post";
import { AccountMenu, NotificationBell, ThemeToggle } from "@/components/dashboard/shell-controls";
import { config } from "@/lib/config";

export function AppShell({ children }: { children: ReactNode }) {
  return (
    <div className="flex min-h-dvh">
      <a
        href="#content"
        className="sr-only z-50 rounded-lg bg-brand px-4 py-2 text-sm font-medium text-brand-contrast focus:not-sr-only focus:fixed focus:top-3 focus:left-3"
      >
        Skip to the content
      </a>
      <aside className="sticky top-0 hidden h-dvh w-60 shrink-0 flex-col border-r border-line bg-surface lg:flex">
        <Home className="h-16 px-5" />
        <SideNav />
        <div className="border-t border-line p-3">
          <AccountMenu isWide />
        </div>
      </aside>
      <div className="flex min-w-0 flex-1 flex-col">
        <header className="sticky top-0 z-30 flex h-14 items-center gap-1 border-b border-line bg-background/90 px-3 backdrop-blur sm:px-5 lg:h-16 lg:px-8">
          <Home className="min-w-0 flex-1 lg:hidden" />
          <div className="ml-auto flex items-center gap-1">
            <NewPost />
            <ThemeToggle />
            <NotificationBell />
            <div className="lg:hidden">
              <AccountMenu />
            </div>
          </div>
        </header>
        <ConnectionNotice />
        <main
          id="content"
          tabIndex={-1}
          className="mx-auto w-full max-w-7xl min-w-0 flex-1 px-4 pt-5 pb-24 outline-none sm:px-5 sm:pt-6 lg:px-8 lg:pt-8 lg:pb-12"
        >
          {children}
        </main>
      </div>
      <ThumbNav />
    </div>
  );
}

function Home({ className }: { className?: string }) {
  return (
    <Link href="/dashboard" className={`flex items-center gap-3 rounded-lg ${className ?? ""}`}>
      <BrandMark className="size-8" />
      <span className="truncate text-[0.9375rem] font-semibold tracking-tight">{config.name}</span>
    </Link>
  );
}
