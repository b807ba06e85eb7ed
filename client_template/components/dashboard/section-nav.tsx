"use client";

/** The pages of one section, beside each other: links, so that each has an address of its own. */
import Link from "next/link";
import { usePathname } from "next/navigation";

import { cn } from "@/lib/utils/classes";

export function SectionNav({ label, pages }: { label: string; pages: readonly { href: string; label: string }[] }) {
  const path = usePathname();
  return (
    <nav aria-label={label} className="max-w-full overflow-x-auto">
      <ul className="flex w-fit gap-1 rounded-lg bg-surface-muted p-1">
        {pages.map((page) => (
          <li key={page.href}>
            <Link
              href={page.href}
              aria-current={path === page.href ? "page" : undefined}
              className={cn(
                "inline-flex h-8 items-center rounded-md px-3 text-sm font-medium whitespace-nowrap text-text-muted hover:text-text",
                path === page.href && "bg-surface text-text shadow-xs",
              )}
            >
              {page.label}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
