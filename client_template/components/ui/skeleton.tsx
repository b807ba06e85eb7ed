import type { ComponentProps } from "react";

import { cn } from "@/lib/utils/classes";

/** The place of something that is still on its way. Hidden from screen readers: say "loading" once, around them. */
export function Skeleton({ className, ...rest }: ComponentProps<"div">) {
  return <div aria-hidden className={cn("animate-pulse rounded-md bg-surface-muted", className)} {...rest} />;
}
