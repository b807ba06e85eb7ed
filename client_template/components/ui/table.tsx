import type { ComponentProps } from "react";

import { cn } from "@/lib/utils/classes";

/** Wider than the screen, it scrolls by itself; by keyboard too, hence the tabindex. Give it a caption or aria-label. */
export function Table({ className, "aria-label": label, ...rest }: ComponentProps<"table">) {
  return (
    <div className="relative w-full overflow-x-auto" role="region" aria-label={label ?? "Table"} tabIndex={0}>
      <table className={cn("w-full caption-bottom text-sm", className)} aria-label={label} {...rest} />
    </div>
  );
}

export function TableHeader({ className, ...rest }: ComponentProps<"thead">) {
  return <thead className={cn("[&_tr]:border-b", className)} {...rest} />;
}

export function TableBody({ className, ...rest }: ComponentProps<"tbody">) {
  return <tbody className={cn("[&_tr:last-child]:border-0", className)} {...rest} />;
}

export function TableRow({ className, ...rest }: ComponentProps<"tr">) {
  return <tr className={cn("border-b border-line transition-colors hover:bg-surface-muted/60", className)} {...rest} />;
}

export function TableHead({ className, scope = "col", ...rest }: ComponentProps<"th">) {
  return (
    <th
      scope={scope}
      className={cn("h-10 px-3 text-left align-middle text-xs font-medium whitespace-nowrap text-text-muted", className)}
      {...rest}
    />
  );
}

export function TableCell({ className, ...rest }: ComponentProps<"td">) {
  return <td className={cn("px-3 py-2.5 align-middle", className)} {...rest} />;
}

export function TableCaption({ className, ...rest }: ComponentProps<"caption">) {
  return <caption className={cn("mt-3 text-sm text-text-muted", className)} {...rest} />;
}
