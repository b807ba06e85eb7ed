/**
 * What tests of the components about posts share: a person's page with the real Supabase client in front of a network
 * that each test answers, and posts as the database returns them. Not here: any test.
 */
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import type { ReactElement } from "react";
import { afterEach, beforeEach, vi } from "vitest";

import { toast, Toaster } from "@/components/ui/toast";
import type { Post } from "@/lib/posts/data";

export type Call = { method: string; path: string; query: URLSearchParams; body: unknown };
type Answer = { status?: number; body: unknown } | Promise<{ status?: number; body: unknown }>;

/** Everything that was asked of the network, in order. */
export let calls: Call[] = [];
let answer: (call: Call) => Answer | undefined = () => undefined;

/** What the network answers from here on. Undefined: there is no such thing, which fails the test's assertions. */
export function network(next: (call: Call) => Answer | undefined): void {
  answer = next;
}

export const changes = () => calls.filter((call) => call.method !== "GET");

beforeEach(() => {
  calls = [];
  answer = () => undefined;
  sessionStorage.clear();
  vi.stubEnv("NEXT_PUBLIC_SUPABASE_URL", "http://db.test");
  vi.stubEnv("NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY", "sb_publishable_test");
  vi.stubGlobal("fetch", async (input: RequestInfo | URL, init?: RequestInit) => {
    const url = new URL(input instanceof Request ? input.url : input, "http://app.test");
    const text = init?.body?.toString();
    const call = {
      method: init?.method ?? "GET",
      path: url.pathname,
      query: url.searchParams,
      body: text ? (JSON.parse(text) as unknown) : undefined,
    };
    calls.push(call);
    const { status = 200, body } = (await answer(call)) ?? {
      status: 404,
      body: { message: `nothing at ${url.pathname}` },
    };
    if (status === 0) throw new TypeError("fetch failed");
    return new Response(status === 204 ? null : JSON.stringify(body), {
      status,
      headers: { "content-type": "application/json" },
    });
  });
  stubBrowser();
});

afterEach(() => {
  toast.dismiss();
  cleanup();
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
});

/** What Chromium has and jsdom has not. */
function stubBrowser(): void {
  vi.stubGlobal("matchMedia", (query: string) => ({
    matches: isPhone && query.includes("max-width"),
    addEventListener() {},
    removeEventListener() {},
  }));
  vi.stubGlobal(
    "ResizeObserver",
    class {
      observe() {}
      unobserve() {}
      disconnect() {}
    },
  );
  Element.prototype.scrollIntoView ??= () => undefined;
  Element.prototype.hasPointerCapture ??= () => false;
  Element.prototype.setPointerCapture ??= () => undefined;
}

let isPhone = false;
export function onPhone(is: boolean): void {
  isPhone = is;
}

export function open(page: ReactElement) {
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const shown = render(
    <QueryClientProvider client={queries}>
      {page}
      <Toaster />
    </QueryClientProvider>,
  );
  return { ...shown, queries, user: userEvent.setup() };
}

export const HASH = "a".repeat(64);

export function aPost(part: Partial<Post> = {}): Post {
  return {
    id: "11111111-1111-4111-8111-111111111111",
    title: "Mince pies",
    content: "Mince pies are back.",
    variants: {
      facebook: { text: "Mince pies are back.", thread: [], first_comment: null },
      x: { text: "Pies! kloof.co.za #pies", thread: [], first_comment: null },
    },
    media: [],
    platform_ids: ["facebook", "x"],
    status: "in_review",
    scheduled_for: "2026-12-01T07:00:00+00:00",
    scheduled_local: "2026-12-01 09:00 Africa/Johannesburg",
    revision: 1,
    content_hash: HASH,
    findings: [],
    last_error: null,
    request: { schedule: { publish_at: "2026-12-01T09:00" }, brief: "Pies", requested_by: "owner@kloof.example" },
    queue: [],
    decisions: [],
    ...part,
  };
}
