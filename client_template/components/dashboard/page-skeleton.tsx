/** A page on its way: said once to screen readers, drawn as grey places. */
import { Skeleton } from "@/components/ui/skeleton";

export function PageSkeleton({ label, blocks = 3 }: { label: string; blocks?: number }) {
  return (
    <div role="status" aria-label={`Loading ${label}`} className="flex flex-col gap-6">
      <Skeleton className="h-8 w-48" />
      {Array.from({ length: blocks }, (_, place) => (
        <Skeleton key={place} className="h-40 w-full" />
      ))}
    </div>
  );
}
