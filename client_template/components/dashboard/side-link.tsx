import Link from "next/link";
import type { ReactNode } from "react";

import type { Place } from "@/components/dashboard/nav-items";
import { cn } from "@/lib/utils/classes";

/** A line of the menu. */
export function SideLink({ place, isHere, children }: { place: Place; isHere: boolean; children?: ReactNode }) {
  const { href, name, icon: Icon } = place;
  return (
    <Link
      href={href}
      aria-current={isHere ? "page" : undefined}
      className={cn(
        "flex h-10 items-center gap-3 rounded-lg px-3 text-sm font-medium transition-colors",
        isHere ? "bg-brand-soft text-brand-text" : "text-text-muted hover:bg-surface-muted hover:text-text",
      )}
    >
      <Icon className="size-[1.125rem] shrink-0" aria-hidden />
      {name}
      {children}
    </Link>
  );
}
