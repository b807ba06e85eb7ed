import Image from "next/image";

import { config } from "@/lib/config";
import { cn } from "@/lib/utils/classes";

/** The client's logo, or its first letters on its colour. The name stands beside it, so it says nothing itself. */
export function BrandMark({ className }: { className?: string }) {
  const { logo } = config.branding;
  if (logo) {
    return (
      <Image src={logo} alt="" width={36} height={36} unoptimized className={cn("size-9 rounded-lg object-contain", className)} />
    );
  }
  return (
    <span
      aria-hidden
      className={cn(
        "flex size-9 shrink-0 items-center justify-center rounded-lg bg-brand text-sm font-semibold text-brand-contrast shadow-sm",
        className,
      )}
    >
      {initials(config.name)}
    </span>
  );
}

/** Such as "EB" of "Example Business"; one letter of a name of one word. */
export function initials(name: string): string {
  const words = name.split(/\s+/).filter(Boolean);
  const letters = [words[0], words.length > 1 ? words[words.length - 1] : undefined];
  return letters.map((word) => (word ? [...word][0] : "")).join("").toUpperCase();
}
