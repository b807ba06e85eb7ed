import type { ComponentProps } from "react";

import { cn } from "@/lib/utils/classes";

/** What every control that takes text looks like. 16 px on phones, since iOS zooms into anything smaller. */
export const controlClasses =
  "w-full min-w-0 rounded-lg border border-line-strong bg-surface px-3 text-base text-text shadow-xs transition-colors " +
  "placeholder:text-text-muted hover:border-text-muted sm:text-sm " +
  "disabled:cursor-not-allowed disabled:bg-surface-muted disabled:opacity-70 " +
  "aria-invalid:border-bad";

export function Input({ className, ...rest }: ComponentProps<"input">) {
  return <input className={cn(controlClasses, "h-10", className)} {...rest} />;
}
