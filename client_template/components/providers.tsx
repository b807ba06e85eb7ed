"use client";

/** What every page stands in: the data's cache, the theme, messages, and sessions that arrive by a link. */
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { ThemeProvider } from "next-themes";
import dynamic from "next/dynamic";
import { useState, type ReactNode } from "react";

import { LinkArrival } from "@/components/auth/link-arrival";

// After the page: nobody is told anything before it stands.
const Toaster = dynamic(() => import("@/components/ui/toast").then((one) => one.Toaster), { ssr: false });

export function Providers({ nonce, children }: { nonce?: string; children: ReactNode }) {
  const [queries] = useState(
    () => new QueryClient({ defaultOptions: { queries: { staleTime: 30_000, retry: 1 }, mutations: { retry: false } } }),
  );
  return (
    <ThemeProvider attribute="class" defaultTheme="system" enableSystem disableTransitionOnChange nonce={nonce}>
      <QueryClientProvider client={queries}>
        <LinkArrival />
        {children}
      </QueryClientProvider>
      <Toaster />
    </ThemeProvider>
  );
}
