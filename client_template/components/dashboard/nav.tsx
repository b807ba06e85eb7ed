"use client";

/** The menu: at the side on wide screens, under the thumb on narrow ones. */
import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { usePathname } from "next/navigation";

import { isAt, placesFor } from "@/components/dashboard/nav-items";
import { usePerson } from "@/components/dashboard/person";
import { MorePlaces } from "@/components/dashboard/shell-controls";
import { SideLink } from "@/components/dashboard/side-link";
import { lazyClient } from "@/lib/supabase/lazy";
import { cn } from "@/lib/utils/classes";

/** Posts that wait for a decision, beside the menu's entry; nothing while it is not known. */
function useWaiting(): number {
  const { data } = useQuery({
    queryKey: ["posts", "waiting-count"],
    refetchInterval: 60_000,
    queryFn: async () => {
      const { count, error } = await (await lazyClient())
        .from("social_posts")
        .select("id", { count: "exact", head: true })
        .eq("status", "in_review");
      if (error) throw new Error("the number of waiting posts cannot be read", { cause: error });
      return count ?? 0;
    },
  });
  return data ?? 0;
}

function Count({ waiting, className }: { waiting: number; className?: string }) {
  if (waiting === 0) return null;
  return (
    <span
      className={cn(
        "flex h-5 min-w-5 items-center justify-center rounded-full bg-brand px-1.5 text-xs font-semibold text-brand-contrast tabular-nums",
        className,
      )}
    >
      {waiting > 99 ? "99+" : waiting}
      <span className="sr-only"> waiting</span>
    </span>
  );
}

export function SideNav() {
  const pathname = usePathname();
  const places = placesFor(usePerson().role);
  const waiting = useWaiting();
  const groups = ["Work", "Results", "Organization"] as const;
  return (
    <nav aria-label="Main" className="flex flex-1 flex-col gap-6 overflow-y-auto px-3 py-4">
      {groups.map((group) => {
        const own = places.filter((place) => place.group === group);
        if (own.length === 0) return null;
        return (
          <div key={group} className="flex flex-col gap-1">
            <p className="px-3 pb-1 text-xs font-medium text-text-muted">{group}</p>
            {own.map((place) => (
              <SideLink key={place.href} place={place} isHere={isAt(pathname, place.href)}>
                {place.href === "/approvals" ? <Count waiting={waiting} className="ml-auto" /> : null}
              </SideLink>
            ))}
          </div>
        );
      })}
    </nav>
  );
}

export function ThumbNav() {
  const pathname = usePathname();
  const places = placesFor(usePerson().role);
  const waiting = useWaiting();
  const main = places.filter((place) => place.isMain);
  const rest = places.filter((place) => !place.isMain);
  const isInRest = rest.some((place) => isAt(pathname, place.href));
  return (
    <nav
      aria-label="Main"
      className="fixed inset-x-0 bottom-0 z-40 border-t border-line bg-surface/95 pb-[env(safe-area-inset-bottom)] backdrop-blur lg:hidden"
    >
      <div className="mx-auto flex max-w-xl items-stretch">
        {main.map(({ href, name, icon: Icon }) => {
          const isHere = isAt(pathname, href);
          return (
            <Link key={href} href={href} aria-current={isHere ? "page" : undefined} className={thumbClasses(isHere)}>
              <span className="relative">
                <Icon className="size-5" aria-hidden />
                {href === "/approvals" ? (
                  <Count waiting={waiting} className="absolute -top-2 left-3 h-4 min-w-4 px-1 text-[0.6875rem]" />
                ) : null}
              </span>
              {name}
            </Link>
          );
        })}
        <MorePlaces places={rest} pathname={pathname} className={thumbClasses(isInRest)} />
      </div>
    </nav>
  );
}

function thumbClasses(isHere: boolean): string {
  return cn(
    "flex h-15 min-w-0 flex-1 cursor-pointer flex-col items-center justify-center gap-1 text-[0.6875rem] leading-4 font-medium",
    isHere ? "text-brand-text" : "text-text-muted hover:text-text",
  );
}
