import { Compass } from "lucide-react";
import Link from "next/link";

import { Button } from "@/components/ui/button";
import { EmptyState } from "@/components/ui/empty-state";

export default function NotFound() {
  return (
    <main className="mx-auto flex min-h-dvh w-full max-w-lg flex-col justify-center px-5">
      <h1 className="sr-only">Not found</h1>
      <EmptyState
        icon={Compass}
        title="There is no page here"
        className="bg-surface"
        action={
          <Button asChild>
            <Link href="/dashboard">To the dashboard</Link>
          </Button>
        }
      >
        It may have been moved, or the address has a mistake in it.
      </EmptyState>
    </main>
  );
}
