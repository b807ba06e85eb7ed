import type { ComponentProps } from "react";

import { cn } from "@/lib/utils/classes";

export function Card({ className, ...rest }: ComponentProps<"div">) {
  return <div className={cn("rounded-xl border border-line bg-surface text-text shadow-xs", className)} {...rest} />;
}

export function CardHeader({ className, ...rest }: ComponentProps<"div">) {
  return <div className={cn("flex flex-col gap-1 p-4 pb-3 sm:px-5 sm:pt-5", className)} {...rest} />;
}

/** A heading of the second level; `asChild` is not needed where another level is given by `as`. */
export function CardTitle({
  className,
  as: Heading = "h2",
  ...rest
}: ComponentProps<"h2"> & { as?: "h2" | "h3" | "h4" | "p" }) {
  return <Heading className={cn("text-base leading-6 font-semibold tracking-tight text-text", className)} {...rest} />;
}

export function CardDescription({ className, ...rest }: ComponentProps<"p">) {
  return <p className={cn("text-sm leading-5 text-text-muted", className)} {...rest} />;
}

export function CardContent({ className, ...rest }: ComponentProps<"div">) {
  return <div className={cn("p-4 pt-0 sm:px-5 sm:pb-5", className)} {...rest} />;
}

export function CardFooter({ className, ...rest }: ComponentProps<"div">) {
  return <div className={cn("flex flex-wrap items-center gap-2 p-4 pt-0 sm:px-5 sm:pb-5", className)} {...rest} />;
}
