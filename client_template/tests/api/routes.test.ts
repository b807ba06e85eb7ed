// @vitest-environment node
/** The API routes, from a request to what reaches the database and the webhooks. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";

import { ask, Backend, sessionCookie } from "./backend";

type Route = (request: Request) => Promise<Response>;
const cookies = vi.hoisted(() => ({ kept: [] as { name: string; value: string }[] }));
vi.mock("server-only", () => ({}));
// Next.js gives cookies only within its own server.
vi.mock("next/headers", () => ({ cookies: async () => ({ getAll: () => cookies.kept, set: () => undefined }) }));

const WEBHOOK = "/webhook/example-business/generate-content";
const ORDER = { delivery_id: "7a1d3c9e-58a4-4f0e-9b1c-2f6f1c1d0a11", brief: "Winter menu", platforms: ["facebook"], next_free_slot: true };
const POST_ID = "5b0c6a34-9d55-4b62-8a0e-3a8f4f0d2c22";
const HASH = "a".repeat(64);
const DECISION = { post_id: POST_ID, content_hash: HASH, decision: "approve", comment: "" };
let backend: Backend;
let generate: Route;
let approve: Route;
let usage: Route;

beforeAll(async () => {
  backend = await Backend.start();
  // supabase-js wants to know one when it is made; Node 20 has none, Next.js brings its own.
  vi.stubGlobal("WebSocket", class {});
  vi.stubEnv("NEXT_PUBLIC_SUPABASE_URL", backend.url);
  vi.stubEnv("NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY", "sb_publishable_test");
  vi.stubEnv("DRAGGONNB_WEBHOOK_URL", `${backend.url}/webhook/example-business`);
  vi.stubEnv("DRAGGONNB_WEBHOOK_TOKEN", "the-secret-token");
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
});
beforeEach(async () => {
  backend.reset();
  backend.signedIn("editor");
  cookies.kept = [sessionCookie()];
  vi.resetModules(); // each test has rate limits of its own
  generate = (await import("@/app/api/generate-content/route")).POST;
  approve = (await import("@/app/api/approve-post/route")).POST;
  usage = (await import("@/app/api/usage-metrics/route")).GET;
});
afterAll(() => backend.stop());

async function codeOf(response: Response): Promise<string> {
  return ((await response.json()) as { error: { code: string } }).error.code;
}

describe("who may ask", () => {
  it("answers 401 without a session and asks the webhook nothing", async () => {
    cookies.kept = [];

    const response = await generate(ask("/api/generate-content", ORDER));

    expect([response.status, await codeOf(response)]).toEqual([401, "signed_out"]);
    expect(backend.to(WEBHOOK)).toEqual([]);
  });

  it("answers 401 where Auth refuses the token", async () => {
    backend.refused();

    const response = await generate(ask("/api/generate-content", ORDER));

    expect([response.status, await codeOf(response)]).toEqual([401, "signed_out"]);
    expect(backend.to("/rest/v1/users")).toEqual([]);
  });

  it("answers 403 to somebody who is no member", async () => {
    backend.signedIn(null);

    const response = await generate(ask("/api/generate-content", ORDER));

    expect([response.status, await codeOf(response)]).toEqual([403, "no_role"]);
    expect(backend.to(WEBHOOK)).toEqual([]);
  });

  it("knows somebody whom an admin has added and who comes for the first time", async () => {
    let hasJoined = false;
    const editor = { id: "person-new", email: "editor@example.com", full_name: null, role: "editor" };
    backend.on("/rest/v1/users", { bodyOf: () => (hasJoined ? [editor] : []) });
    backend.on("/rest/v1/rpc/join_organization", { bodyOf: () => ((hasJoined = true), "editor") });
    backend.on(WEBHOOK, { status: 202, body: { id: "req-1", status: "accepted", duplicate: false } });

    const response = await generate(ask("/api/generate-content", ORDER));

    expect(response.status).toBe(202);
    expect(backend.to("/rest/v1/rpc/join_organization")).toHaveLength(1);
  });

  it("answers 403 to a role that may not generate", async () => {
    backend.signedIn("viewer");

    const response = await generate(ask("/api/generate-content", ORDER));

    expect([response.status, await codeOf(response)]).toEqual([403, "forbidden"]);
    expect(backend.to(WEBHOOK)).toEqual([]);
  });

  it.each([
    ["another site's page", { origin: "https://evil.example", "sec-fetch-site": "cross-site" }],
    ["a page of a neighbouring host", { origin: "http://other.app.test", "sec-fetch-site": "same-site" }],
    ["another origin that names no site", { origin: "https://evil.example", "sec-fetch-site": "same-origin" }],
    ["a sandboxed frame", { origin: "null" }],
  ])("answers 403 to %s before it looks at the session", async (_name, headers) => {
    const response = await generate(ask("/api/generate-content", ORDER, headers));

    expect([response.status, await codeOf(response)]).toEqual([403, "other_origin"]);
    expect(backend.calls).toEqual([]);
  });

  it("answers 503, not 401, while the database is away", async () => {
    backend.on("/rest/v1/users", { status: 500, body: { message: "no" } });

    const response = await generate(ask("/api/generate-content", ORDER));

    expect([response.status, await codeOf(response)]).toEqual([503, "unavailable"]);
  });

  it("lets a person ask ten times a minute and then says how long to wait", async () => {
    backend.on(WEBHOOK, { status: 202, body: { id: "one", status: "accepted", duplicate: false } });

    const statuses: number[] = [];
    for (let call = 0; call < 10; call += 1) statuses.push((await generate(ask("/api/generate-content", ORDER))).status);
    const last = await generate(ask("/api/generate-content", ORDER));

    expect(statuses).toEqual(Array(10).fill(202));
    expect(last.status).toBe(429);
    expect(Number(last.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(backend.to(WEBHOOK)).toHaveLength(10);
  });
});

describe("generate-content", () => {
  it("hands the request over with the organization's token and the asker's own address", async () => {
    backend.on(WEBHOOK, { status: 202, body: { id: "req-1", status: "accepted", duplicate: false } });

    const response = await generate(ask("/api/generate-content", ORDER));

    expect(response.status).toBe(202);
    expect(await response.json()).toEqual({ id: "req-1", status: "accepted", duplicate: false });
    expect(response.headers.get("cache-control")).toBe("no-store");
    const [call] = backend.to(WEBHOOK);
    expect(call?.headers["x-webhook-token"]).toBe("the-secret-token");
    expect(call?.headers["x-delivery-id"]).toBe(ORDER.delivery_id);
    expect(call?.body).toEqual({
      brief: "Winter menu",
      platforms: ["facebook"],
      next_free_slot: true,
      requested_by: "editor@example.com",
      source: "app",
    });
  });

  it.each([
    ["a brief of two letters", { ...ORDER, brief: "ab" }, "brief"],
    ["a brief of 4001 characters", { ...ORDER, brief: "x".repeat(4001) }, "brief"],
    ["a network that there is not", { ...ORDER, platforms: ["myspace"] }, "platforms[0]"],
    ["somebody else's name", { ...ORDER, requested_by: "owner@example.com" }, "body"],
    ["two times at once", { ...ORDER, as_soon_as_approved: true }, "publish_at"],
  ])("refuses %s and names the field", async (_name, order, field) => {
    const response = await generate(ask("/api/generate-content", order));

    expect(response.status).toBe(422);
    const { error } = (await response.json()) as { error: { fields: Record<string, string> } };
    expect(Object.keys(error.fields)).toEqual([field]);
    expect(backend.to(WEBHOOK)).toEqual([]);
  });

  it("refuses what is no JSON, too long, or a form", async () => {
    const broken = await generate(ask("/api/generate-content", "{"));
    const long = await generate(ask("/api/generate-content", { ...ORDER, brief: "x".repeat(70_000) }));
    const form = await generate(
      ask("/api/generate-content", "brief=x", { "content-type": "application/x-www-form-urlencoded" }),
    );

    expect([broken.status, long.status, form.status]).toEqual([400, 413, 415]);
    expect(backend.to(WEBHOOK)).toEqual([]);
  });

  it("passes on which field the webhook refuses", async () => {
    const errors = [{ field: "publish_at", detail: "is in the past" }];
    backend.on(WEBHOOK, { status: 422, body: { type: "/docs#invalid-content-request", errors } });

    const response = await generate(ask("/api/generate-content", ORDER));

    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ error: { code: "invalid", fields: { publish_at: "is in the past" } } });
  });

  it.each([
    [429, { type: "/docs#over-plan" }, 429, "over_plan"],
    [429, { type: "/docs#too-many-requests" }, 429, "too_many_requests"],
    [503, {}, 503, "unavailable"],
    [401, {}, 502, "not_set_up"],
    [200, { nothing: "useful" }, 503, "unavailable"],
  ])("turns the webhook's %i into an answer that says what to do", async (status, body, expected, code) => {
    backend.on(WEBHOOK, { status, body });

    const response = await generate(ask("/api/generate-content", ORDER));

    expect([response.status, await codeOf(response)]).toEqual([expected, code]);
  });

  it("takes the token to no other address", async () => {
    backend.on(WEBHOOK, { status: 307, headers: { location: `${backend.url}/elsewhere` } });

    const response = await generate(ask("/api/generate-content", ORDER));

    expect(response.status).toBe(503);
    expect(backend.to("/elsewhere")).toEqual([]);
  });
});

describe("approve-post", () => {
  beforeEach(() => backend.signedIn("approver"));

  it("approves exactly the content that was shown, as the person", async () => {
    backend.on("/rest/v1/rpc/approve_post", { status: 204 });

    const response = await approve(ask("/api/approve-post", DECISION));

    expect(response.status).toBe(200);
    const [call] = backend.to("/rest/v1/rpc/approve_post");
    expect(call?.body).toEqual({ post_id: POST_ID, content_hash: HASH });
    expect(call?.headers.authorization).toMatch(/^Bearer ey/);
  });

  it.each([
    ["request_changes", "/rest/v1/rpc/request_post_changes"],
    ["reject", "/rest/v1/rpc/reject_post"],
  ])("hands %s over with the reason and the content that was shown", async (decision, path) => {
    backend.on(path, { status: 204 });

    const response = await approve(ask("/api/approve-post", { ...DECISION, decision, comment: " Name the price. " }));

    expect(response.status).toBe(200);
    expect(backend.to(path).map(({ body }) => body)).toEqual([
      { post_id: POST_ID, content_hash: HASH, reason: "Name the price." },
    ]);
  });

  it.each([
    ["request_changes", "/rest/v1/rpc/request_post_changes"],
    ["reject", "/rest/v1/rpc/reject_post"],
  ])("says so where the database refuses to %s what was changed meanwhile", async (decision, path) => {
    backend.on(path, { status: 400, body: { code: "22023", message: "as Postgres says it" } });

    const response = await approve(ask("/api/approve-post", { ...DECISION, decision, comment: "No." }));

    expect([response.status, await codeOf(response)]).toEqual([409, "changed"]);
    expect(backend.to(path)).toHaveLength(1);
  });

  it("asks for a reason before anything else", async () => {
    const response = await approve(ask("/api/approve-post", { ...DECISION, decision: "reject", comment: "  " }));

    expect(response.status).toBe(422);
    expect(backend.to("/rest/v1/rpc/reject_post")).toEqual([]);
  });

  it.each([
    ["42501", 403, "forbidden"],
    ["22023", 409, "changed"],
    ["57014", 503, "unavailable"],
  ])("turns the database's %s into an answer for people", async (code, status, expected) => {
    backend.on("/rest/v1/rpc/approve_post", { status: 400, body: { code, message: "as Postgres says it" } });

    const response = await approve(ask("/api/approve-post", DECISION));
    const text = await response.clone().text();

    expect([response.status, await codeOf(response)]).toEqual([status, expected]);
    expect(text).not.toContain("Postgres");
  });
});

describe("usage-metrics", () => {
  it("gives the five metrics as the person may see them", async () => {
    const counter = { metric: "users", period_start: "2000-01-01", period_end: "9999-12-31", used: 4, reserved: 0, limit_value: 5 };
    backend.on("/rest/v1/usage_counters", { body: [counter] });

    const response = await usage(ask("/api/usage-metrics"));

    const { metrics } = (await response.json()) as { metrics: { metric: string; percent: number | null }[] };
    expect(metrics.map(({ metric, percent }) => [metric, percent])).toContainEqual(["users", 80]);
    expect(metrics).toHaveLength(5);
  });
});
