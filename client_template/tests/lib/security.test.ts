/** What the pages may load, who may ask the API, and how often. */
import { expect, it } from "vitest";

import { isSameOrigin } from "@/lib/api/origin";
import { RateLimit } from "@/lib/api/rate-limit";
import { contentSecurityPolicy } from "@/lib/security";

it("lets scripts run by nonce alone, and connects to this app and its database", () => {
  const rules = contentSecurityPolicy("abc", "https://ref.supabase.co/").split("; ");

  expect(rules).toContain("script-src 'self' 'nonce-abc' 'strict-dynamic'");
  expect(rules).toContain("connect-src 'self' https://ref.supabase.co wss://ref.supabase.co");
  expect(rules).toContain("frame-ancestors 'none'");
  expect(rules.filter((rule) => rule.startsWith("script-src")).join()).not.toMatch(/unsafe/);
});

it("takes a plain read without an origin, and no change without one", () => {
  const at = "http://app.test/api/x";

  expect(isSameOrigin(new Request(at))).toBe(true);
  expect(isSameOrigin(new Request(at, { method: "POST" }))).toBe(false);
  expect(isSameOrigin(new Request(at, { headers: { "sec-fetch-site": "cross-site" } }))).toBe(false);
  expect(isSameOrigin(new Request(at, { headers: { "sec-fetch-site": "none" } }))).toBe(true);
});

it("counts each caller alone, and forgets a call after a minute", () => {
  const limit = new RateLimit(2);

  expect([limit.secondsToWait("a", 0), limit.secondsToWait("a", 1_000), limit.secondsToWait("a", 2_000)]).toEqual([0, 0, 58]);
  expect(limit.secondsToWait("b", 2_000)).toBe(0);
  expect([limit.secondsToWait("a", 60_001), limit.secondsToWait("a", 60_002)]).toEqual([0, 1]);
});
