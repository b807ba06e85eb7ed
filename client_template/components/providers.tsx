"use client";

/** What every page stands in: the data's cache, the theme, tooltips, messages, and sessions that arrive by a link. */
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { ThemeProvider } from "next-themes";
import { useState, type ReactNode } from "react";

import { LinkArrival } from "@/components/auth/link-arrival";
import { Toaster } from "@/components/ui/toast";
import { TooltipProvider } from "@/components/ui/tooltip";

export function Providers({ nonce, children }: { nonce?: string; children: ReactNode }) {
  const [queries] = useState(
    () => new QueryClient({ defaultOptions: { queries: { staleTime: 30_000, retry: 1 }, mutations: { retry: false } } }),
  );
  return (
    <ThemeProvider attribute="class" defaultTheme="system" enableSystem disableTransitionOnChange nonce={nonce}>
      <QueryClientProvider client={queries}>
        <TooltipProvider delayDuration={300}>
          <LinkArrival />
          {children}
        </TooltipProvider>
      </QueryClientProvider>
      <Toaster />
    </ThemeProvider>
  );
}
