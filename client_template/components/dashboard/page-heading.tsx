/** The top of a page: its name, what it is for, and what can be done. */
import type { ReactNode } from "react";

export function PageHeading({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <header className="flex flex-wrap items-end justify-between gap-x-6 gap-y-3">
      <div className="flex min-w-0 flex-col gap-1">
        <h1 className="text-2xl font-semibold tracking-tight break-words">{title}</h1>
        {children ? <p className="max-w-prose text-sm leading-6 text-text-muted">{children}</p> : null}
      </div>
      {action}
    </header>
  );
}
