import { cva, type VariantProps } from "class-variance-authority";
import { LoaderCircle } from "lucide-react";
import { Slot } from "radix-ui";
import type { ComponentProps } from "react";

import { cn } from "@/lib/utils/classes";

export const buttonVariants = cva(
  "inline-flex shrink-0 cursor-pointer items-center justify-center gap-2 rounded-lg text-sm font-medium whitespace-nowrap " +
    "transition-[background-color,border-color,color,box-shadow,transform] duration-150 active:translate-y-px " +
    "disabled:pointer-events-none disabled:opacity-55 aria-disabled:pointer-events-none aria-disabled:opacity-55 " +
    "[&_svg]:size-4 [&_svg]:shrink-0",
  {
    variants: {
      variant: {
        default: "bg-brand text-brand-contrast shadow-sm hover:bg-brand-strong",
        secondary: "border border-line bg-surface text-text shadow-xs hover:border-text-muted/50 hover:bg-surface-muted",
        outline: "border border-line bg-transparent text-text hover:bg-surface-muted",
        ghost: "text-text hover:bg-surface-muted",
        destructive: "bg-bad-strong text-white shadow-sm hover:brightness-110",
        link: "h-auto px-0 text-brand-text underline-offset-4 hover:underline",
      },
      size: {
        default: "h-10 px-4",
        sm: "h-8 px-3 text-[0.8125rem]",
        lg: "h-11 px-5 text-base",
        icon: "size-10",
        "icon-sm": "size-8",
      },
    },
    defaultVariants: { variant: "default", size: "default" },
  },
);

export interface ButtonProps extends ComponentProps<"button">, VariantProps<typeof buttonVariants> {
  /** The only child becomes the button, such as a link. */
  asChild?: boolean;
  /** At work: shows a spinner and cannot be pressed again. */
  loading?: boolean;
}

export function Button({ className, variant, size, asChild, loading, disabled, children, type, ...rest }: ButtonProps) {
  const classes = cn(buttonVariants({ variant, size }), className);
  if (asChild) {
    return (
      <Slot.Root className={classes} {...rest}>
        {children}
      </Slot.Root>
    );
  }
  return (
    <button
      type={type ?? "button"}
      className={classes}
      disabled={disabled || loading}
      aria-busy={loading || undefined}
      {...rest}
    >
      {loading ? <LoaderCircle className="animate-spin" aria-hidden /> : null}
      {children}
    </button>
  );
}
