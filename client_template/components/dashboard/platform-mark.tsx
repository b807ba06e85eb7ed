import { cn } from "@/lib/utils/classes";
import type { Platform } from "@/lib/posts/platforms";

// The networks' own colours: they are what the networks are known by, in light and dark alike.
const MARKS: Record<Platform, { letter: string; colour: string }> = {
  facebook: { letter: "f", colour: "bg-[#1877f2]" },
  instagram: { letter: "I", colour: "bg-[#c13584]" },
  linkedin: { letter: "in", colour: "bg-[#0a66c2]" },
  x: { letter: "X", colour: "bg-[#0f1419] ring-1 ring-line" },
};

/** A small sign for a network; its name stands beside it in words. */
export function PlatformMark({ platform, className }: { platform: Platform; className?: string }) {
  const { letter, colour } = MARKS[platform];
  return (
    <span
      aria-hidden
      className={cn(
        "inline-flex size-5 shrink-0 items-center justify-center rounded-md text-[0.6875rem] leading-none font-bold",
        "text-white",
        colour,
        className,
      )}
    >
      {letter}
    </span>
  );
}
