"use client";

import { Tabs as Primitive } from "radix-ui";
import type { ComponentProps } from "react";

import { cn } from "@/lib/utils/classes";

export function Tabs({ className, ...rest }: ComponentProps<typeof Primitive.Root>) {
  return <Primitive.Root className={cn("flex flex-col gap-4", className)} {...rest} />;
}

export function TabsList({ className, ...rest }: ComponentProps<typeof Primitive.List>) {
  return (
    <Primitive.List
      className={cn(
        "flex w-fit max-w-full items-center gap-1 overflow-x-auto rounded-lg bg-surface-muted p-1 [scrollbar-width:none]",
        className,
      )}
      {...rest}
    />
  );
}

export function TabsTrigger({ className, ...rest }: ComponentProps<typeof Primitive.Trigger>) {
  return (
    <Primitive.Trigger
      className={cn(
        "inline-flex h-8 shrink-0 cursor-pointer items-center justify-center gap-1.5 rounded-md px-3 text-sm font-medium " +
          "text-text-muted transition-colors hover:text-text data-[state=active]:bg-surface data-[state=active]:text-text " +
          "data-[state=active]:shadow-xs disabled:pointer-events-none disabled:opacity-55 [&_svg]:size-4",
        className,
      )}
      {...rest}
    />
  );
}

export function TabsContent({ className, ...rest }: ComponentProps<typeof Primitive.Content>) {
  return <Primitive.Content className={cn("min-w-0 rounded-lg", className)} {...rest} />;
}
