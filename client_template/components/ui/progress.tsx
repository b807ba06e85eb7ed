"use client";

import { Progress as Primitive } from "radix-ui";
import type { ComponentProps } from "react";

import { cn } from "@/lib/utils/classes";

const TONES = { default: "bg-brand-text", good: "bg-good", warn: "bg-warn", bad: "bg-bad" };

/** `value` of 100; null while it is not known. Give it an aria-label or aria-labelledby. */
export function Progress({
  className,
  value,
  tone = "default",
  ...rest
}: ComponentProps<typeof Primitive.Root> & { tone?: keyof typeof TONES }) {
  const known = typeof value === "number" ? Math.max(0, Math.min(100, value)) : null;
  return (
    <Primitive.Root
      value={known}
      className={cn("relative h-2 w-full overflow-hidden rounded-full bg-surface-muted", className)}
      {...rest}
    >
      <Primitive.Indicator
        className={cn("h-full rounded-full transition-[width] duration-500", TONES[tone], known === null && "animate-pulse")}
        style={{ width: `${known ?? 40}%` }}
      />
    </Primitive.Root>
  );
}
