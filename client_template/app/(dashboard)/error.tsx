"use client";

import { useEffect } from "react";

import { ErrorState } from "@/components/ui/error-state";

export default function DashboardError({ error, reset }: { error: Error & { digest?: string }; reset: () => void }) {
  useEffect(() => console.error(error), [error]);
  return (
    <ErrorState
      title="This page could not be loaded"
      detail="The database did not answer, or we made a mistake. What you typed is kept in this tab. Try again in a moment."
      retry={reset}
    />
  );
}
