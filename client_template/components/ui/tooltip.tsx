"use client";

import { Tooltip as Primitive } from "radix-ui";
import type { ComponentProps } from "react";

import { cn } from "@/lib/utils/classes";

/** With a provider of its own: pages without tooltips load nothing of it. */
export function Tooltip(props: ComponentProps<typeof Primitive.Root>) {
  return (
    <Primitive.Provider delayDuration={300}>
      <Primitive.Root {...props} />
    </Primitive.Provider>
  );
}

export const TooltipTrigger = Primitive.Trigger;

/** Never the only place of something that people need: touch screens show no tooltips. */
export function TooltipContent({ className, sideOffset = 6, ...rest }: ComponentProps<typeof Primitive.Content>) {
  return (
    <Primitive.Portal>
      <Primitive.Content
        sideOffset={sideOffset}
        collisionPadding={8}
        className={cn(
          "z-50 max-w-64 rounded-md bg-text px-2.5 py-1.5 text-xs leading-5 text-background shadow-md",
          className,
        )}
        {...rest}
      />
    </Primitive.Portal>
  );
}
