import { Inbox, type LucideIcon } from "lucide-react";
import type { ReactNode } from "react";

import { cn } from "@/lib/utils/classes";

interface EmptyStateProps {
  title: string;
  /** Why there is nothing here, and what would change that. */
  children?: ReactNode;
  action?: ReactNode;
  icon?: LucideIcon;
  className?: string;
}

export function EmptyState({ title, children, action, icon: Icon = Inbox, className }: EmptyStateProps) {
  return (
    <div
      className={cn(
        "flex flex-col items-center gap-3 rounded-xl border border-dashed border-line px-6 py-12 text-center",
        className,
      )}
    >
      <span className="flex size-12 items-center justify-center rounded-full bg-brand-soft text-brand-text">
        <Icon className="size-6" aria-hidden />
      </span>
      <div className="flex max-w-md flex-col gap-1">
        <p className="font-semibold text-text">{title}</p>
        {children ? <div className="text-sm leading-6 text-text-muted">{children}</div> : null}
      </div>
      {action ? <div className="mt-1 flex flex-wrap justify-center gap-2">{action}</div> : null}
    </div>
  );
}
