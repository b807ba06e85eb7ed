/** Accounts, what waits for whom, preferences, quiet hours, and what errors mean to people. */
import { describe, expect, it } from "vitest";

import { standingOf, type Account } from "@/lib/accounts";
import { DataError, dataOf, explain } from "@/lib/data-error";
import { needsOf } from "@/lib/needs-me";
import { choices, EVENT_GROUPS, modeOf, withPreference } from "@/lib/notifications/preferences";
import { quietHours } from "@/lib/notifications/quiet-hours";

const NOW = new Date("2026-11-23T10:00:00Z");
const account = (more: Partial<Account> = {}): Account => ({
  id: "1",
  platform_id: "facebook",
  external_id: "17",
  handle: "@kloof",
  display_name: "Kloof Coffee",
  status: "connected",
  status_reason: null,
  paused_until: null,
  expires_at: null,
  data_access_expires_at: null,
  last_checked_at: null,
  ...more,
});

describe("an account's state and what to do", () => {
  it.each([
    [{ status: "reconnect_needed" }, "Connect again", 3],
    [{ status: "permission_missing" }, "Permission missing", 4],
    [{ status: "blocked" }, "Blocked by the network", 2],
    [{ status: "disconnected" }, "Not connected", 2],
    [{}, "Connected", 0],
    [{ paused_until: "2026-11-23T11:00:00Z" }, "Pausing", 0],
    [{ paused_until: "2026-11-23T09:00:00Z" }, "Connected", 0],
    [{ data_access_expires_at: "2026-12-01T00:00:00Z" }, "Ends soon", 3],
    [{ data_access_expires_at: "2027-02-01T00:00:00Z" }, "Connected", 0],
    [{ platform_id: "x", expires_at: "2026-11-23T11:00:00Z" }, "Connected", 0],
    [{ platform_id: "linkedin", expires_at: "2026-12-05T00:00:00Z" }, "Connected", 0],
    [{ platform_id: "linkedin", expires_at: "2026-11-28T00:00:00Z" }, "Ends soon", 3],
  ] as [Partial<Account>, string, number][])("%j is %s", (more, label, steps) => {
    const standing = standingOf(account(more), NOW);

    expect([standing.label, standing.steps.length]).toEqual([label, steps]);
  });
});

describe("what waits is told to whom it waits for", () => {
  const counts = { alerts: 1, questions: 2, accounts: 1, review: 1, sentBack: 3, leads: 1, usage: 1 };

  it("each role gets what it can do", () => {
    expect(needsOf(counts, "owner").map((need) => need.key)).toEqual(["alerts", "accounts", "questions", "review", "sentBack", "leads", "usage"]);
    expect(needsOf(counts, "approver").map((need) => need.key)).toEqual(["alerts", "questions", "review"]);
    expect(needsOf(counts, "viewer").map((need) => need.key)).toEqual(["alerts"]);
  });

  it("counts are words, and nothing is no line", () => {
    expect(needsOf(counts, "approver").map((need) => need.text).slice(1)).toEqual([
      "2 posts ask whether to go out, or whether it did",
      "1 post waits for approval",
    ]);
    expect(needsOf({ ...counts, alerts: 0 }, "viewer")).toEqual([]);
  });
});

describe("preferences are read as the server reads them", () => {
  const event = (name: string) => EVENT_GROUPS.flatMap((one) => one.events).find((one) => one.name === name)!;

  it("its own row before that of every event before the usual", () => {
    const report = event("weekly_report");
    const every = { event: "*", channel: "email", mode: "off" } as const;

    expect(modeOf(report, "email", [])).toBe("now");
    expect(modeOf(report, "email", [every])).toBe("off");
    expect(modeOf(report, "email", withPreference([every], { ...every, event: "weekly_report", mode: "digest" }))).toBe("digest");
    expect(modeOf(event("usage_alert"), "whatsapp", [])).toBe("off");
  });

  it("what must be told is told whatever is stored, and what cannot wait waits for no digest", () => {
    expect(modeOf(event("invoice_issued"), "email", [{ event: "invoice_issued", channel: "email", mode: "off" }])).toBe("now");
    expect(modeOf(event("new_lead_analysed"), "email", [{ event: "*", channel: "email", mode: "digest" }])).toBe("now");
    expect(choices(event("invoice_issued"), "email")).toEqual(["now"]);
    expect(choices(event("new_lead_analysed"), "email")).toEqual(["now", "off"]);
    expect(choices(event("invoice_issued"), "whatsapp")).toEqual([]);
  });
});

it("quiet hours are a pair of different times, or none", () => {
  expect(quietHours("", "")).toEqual({ columns: { quiet_from: null, quiet_until: null } });
  expect(quietHours("22:00", "06:00")).toEqual({ columns: { quiet_from: "22:00", quiet_until: "06:00" } });
  expect(quietHours("22:00", "")).toHaveProperty("fault");
  expect(quietHours("22:00", "22:00")).toHaveProperty("fault");
});

describe("an error says what happened and what to do", () => {
  const refused = (status: number, code: string, hint: string | null = null) => () =>
    dataOf({ data: null, status, error: { code, message: "a secret of the server", hint } });

  it.each([
    [401, "PGRST301", /session has ended/],
    [403, "42501", /role does not allow/],
    [409, "23505", /exists already/],
    [400, "23514", /not accepted/],
    [503, "", /does not answer/],
    [0, "", /does not answer/],
    [400, "PGRST100", /tell DraggonnB/],
  ])("%i %s", (status, code, words) => {
    expect(refused(status, code)).toThrow(words);
    expect(refused(status, code)).not.toThrow(/secret/);
  });

  it("a failure without an answer is one of the connection", () => {
    expect(explain(new TypeError("fetch failed"))).toMatch(/does not answer/);
    expect(explain(new DataError("x", 400, "Said so."))).toBe("Said so.");
  });
});
