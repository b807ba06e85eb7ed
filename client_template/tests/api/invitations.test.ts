// @vitest-environment node
/** Invitations: who may send them, and that the account is tied to the right person. */
import { afterAll, beforeAll, beforeEach, expect, it, vi } from "vitest";

import { ask, Backend, sessionCookie } from "./backend";

vi.mock("server-only", () => ({}));
// Next.js gives cookies only within its own server.
vi.mock("next/headers", () => ({ cookies: async () => ({ getAll: () => [sessionCookie()], set: () => undefined }) }));

const USER_ID = "5b0c6a34-9d55-4b62-8a0e-3a8f4f0d2c22";
const ACCOUNT = "9c2f0e11-2f0b-4c58-9d7e-7f0f3f0d3d33";
const INVITED = { id: USER_ID, email: "new@example.com", role: "editor", is_active: true, auth_user_id: null };
let backend: Backend;
let invite: (request: Request) => Promise<Response>;

beforeAll(async () => {
  backend = await Backend.start();
  // supabase-js wants to know one when it is made; Node 20 has none, Next.js brings its own.
  vi.stubGlobal("WebSocket", class {});
  vi.stubEnv("NEXT_PUBLIC_SUPABASE_URL", backend.url);
  vi.stubEnv("NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY", "sb_publishable_test");
  vi.stubEnv("NEXT_PUBLIC_SITE_URL", "http://app.test");
  vi.stubEnv("SUPABASE_SECRET_KEY", "sb_secret_test");
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
  vi.resetModules();
  invite = (await import("@/app/api/invitations/route")).POST;
});
beforeEach(() => backend.reset());
afterAll(() => backend.stop());

/** Both reads of `users` in their order: who asks, whom it is about; then the change. */
function people(role: string, invited: object | null): void {
  backend.signedIn(role);
  backend.on("/rest/v1/users", { bodyOf: ({ method, query }) => {
    if (method === "PATCH") return [];
    if (query.has("auth_user_id")) return [{ id: `person-${role}`, email: "admin@example.com", full_name: null, role }];
    return invited ? [invited] : [];
  } });
}

const patches = () => backend.to("/rest/v1/users").filter(({ method }) => method === "PATCH");

it("mails the invitation with the secret key and ties the account to the person", async () => {
  people("admin", INVITED);
  backend.on("/auth/v1/invite", { body: { id: ACCOUNT, email: "new@example.com" } });

  const response = await invite(ask("/api/invitations", { user_id: USER_ID }));

  expect(response.status).toBe(200);
  const [mail] = backend.to("/auth/v1/invite");
  expect([mail?.headers.apikey, mail?.query.get("redirect_to"), mail?.body]).toMatchObject([
    "sb_secret_test",
    "http://app.test",
    { email: "new@example.com" },
  ]);
  expect(patches().map(({ body, query, headers }) => [body, query.get("id"), headers.apikey])).toEqual([
    [{ auth_user_id: ACCOUNT }, `eq.${USER_ID}`, "sb_secret_test"],
  ]);
});

it("sends a link to sign in to an address that Auth knows and has confirmed", async () => {
  people("owner", INVITED);
  backend.on("/auth/v1/invite", { status: 422, body: { code: 422, error_code: "email_exists", msg: "taken" } });
  backend.on("/auth/v1/admin/generate_link", { body: { id: ACCOUNT, email: "new@example.com", action_link: "http://x" } });
  backend.on("/auth/v1/otp", {});

  const response = await invite(ask("/api/invitations", { user_id: USER_ID }));

  expect(response.status).toBe(200);
  expect(backend.to("/auth/v1/otp")).toHaveLength(1);
  expect(patches().map(({ body }) => body)).toEqual([{ auth_user_id: ACCOUNT }]);
});

it.each([
  ["an editor asks", "editor", INVITED, 403],
  ["an admin invites an owner", "admin", { ...INVITED, role: "owner" }, 403],
  ["the person was deactivated", "owner", { ...INVITED, is_active: false }, 404],
  ["the person is nobody of this organization", "owner", null, 404],
])("sends nothing when %s", async (_name, role, invited, status) => {
  people(role, invited);

  const response = await invite(ask("/api/invitations", { user_id: USER_ID }));

  expect(response.status).toBe(status);
  expect(backend.calls.filter(({ path }) => path.startsWith("/auth/v1/") && path !== "/auth/v1/user")).toEqual([]);
  expect(patches()).toEqual([]);
});

it("ties nobody where no mail was sent", async () => {
  people("owner", INVITED);
  backend.on("/auth/v1/invite", { status: 429, body: { code: 429, error_code: "over_email_send_rate_limit", msg: "slow" } });

  const response = await invite(ask("/api/invitations", { user_id: USER_ID }));

  expect(response.status).toBe(429);
  expect(patches()).toEqual([]);
});
