"use client";

import { useEffect } from "react";

import { ErrorState } from "@/components/ui/error-state";

/** For what fails before the app's frame stands, such as asking who is signed in. */
export default function AppError({ error, reset }: { error: Error & { digest?: string }; reset: () => void }) {
  useEffect(() => console.error(error), [error]);
  return (
    <main className="mx-auto flex min-h-dvh w-full max-w-lg flex-col justify-center px-5">
      <h1 className="sr-only">Something failed</h1>
      <ErrorState
        title="The app cannot reach its database"
        detail="You are still signed in, and nothing is lost. Check your connection, wait a moment and try again."
        retry={reset}
        className="bg-surface"
      />
    </main>
  );
}
