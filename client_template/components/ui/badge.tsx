import { cva, type VariantProps } from "class-variance-authority";
import type { ComponentProps } from "react";

import { cn } from "@/lib/utils/classes";

export const badgeVariants = cva(
  "inline-flex w-fit shrink-0 items-center gap-1 rounded-full border px-2 py-0.5 text-xs leading-4 font-medium " +
    "whitespace-nowrap [&_svg]:size-3 [&_svg]:shrink-0",
  {
    variants: {
      variant: {
        default: "border-brand-text/20 bg-brand-soft text-brand-text",
        secondary: "border-line bg-surface-muted text-text-muted",
        outline: "border-line text-text",
        good: "border-good/25 bg-good/10 text-good",
        warn: "border-warn/30 bg-warn/10 text-warn",
        bad: "border-bad/25 bg-bad/10 text-bad",
      },
    },
    defaultVariants: { variant: "default" },
  },
);

export function Badge({ className, variant, ...rest }: ComponentProps<"span"> & VariantProps<typeof badgeVariants>) {
  return <span className={cn(badgeVariants({ variant }), className)} {...rest} />;
}
