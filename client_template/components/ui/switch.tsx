"use client";

import { Switch as Primitive } from "radix-ui";
import type { ComponentProps } from "react";

import { cn } from "@/lib/utils/classes";

export function Switch({ className, ...rest }: ComponentProps<typeof Primitive.Root>) {
  return (
    <Primitive.Root
      className={cn(
        "inline-flex h-6 w-11 shrink-0 cursor-pointer items-center rounded-full border border-transparent bg-text-muted/70 p-0.5 " +
          "transition-colors data-[state=checked]:bg-brand-text disabled:cursor-not-allowed disabled:opacity-55",
        className,
      )}
      {...rest}
    >
      <Primitive.Thumb className="block size-5 rounded-full bg-surface shadow-sm transition-transform data-[state=checked]:translate-x-5" />
    </Primitive.Root>
  );
}
