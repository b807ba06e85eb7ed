/** One of a few values: the browser's own list, which phones and screen readers know best. */
import type { ComponentProps } from "react";

import { controlClasses } from "@/components/ui/input";
import { cn } from "@/lib/utils/classes";

export type Option = { value: string; label: string };

export function Choice({ className, options, ...rest }: ComponentProps<"select"> & { options: readonly Option[] }) {
  return (
    <select className={cn(controlClasses, "h-10 cursor-pointer pr-8", className)} {...rest}>
      {options.map((option) => (
        <option key={option.value} value={option.value}>
          {option.label}
        </option>
      ))}
    </select>
  );
}
