/**
 * What the API routes talk to, over real HTTP on this machine: Supabase's Auth and REST, and the webhooks. A test says
 * what they answer, and reads what they were asked.
 */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export const AUTH_ID = "11111111-1111-4111-8111-111111111111";

export interface Call {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage["headers"];
  body: unknown;
}

export interface Answer {
  status?: number;
  body?: unknown;
  /** Where the answer depends on what was asked. */
  bodyOf?: (call: Call) => unknown;
  headers?: Record<string, string>;
}

export class Backend {
  readonly calls: Call[] = [];
  private readonly answers = new Map<string, Answer>();

  private constructor(private readonly server: Server) {}

  static async start(): Promise<Backend> {
    const server = createServer();
    const backend = new Backend(server);
    server.on("request", (request, response) => {
      const pieces: Buffer[] = [];
      request.on("data", (piece: Buffer) => pieces.push(piece));
      request.on("end", () => {
        const { status, body, headers } = backend.take(request, Buffer.concat(pieces).toString());
        response.writeHead(status ?? 200, { "content-type": "application/json", ...headers });
        response.end(JSON.stringify(body ?? {}));
      });
    });
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    return backend;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  on(path: string, answer: Answer): void {
    this.answers.set(path, answer);
  }

  to(path: string): Call[] {
    return this.calls.filter((call) => call.path === path);
  }

  reset(): void {
    this.calls.length = 0;
    this.answers.clear();
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  private take(request: IncomingMessage, text: string): Answer {
    const url = new URL(request.url ?? "/", this.url);
    const body: unknown = text ? JSON.parse(text) : null;
    const { method = "GET", headers } = request;
    const call: Call = { method, path: url.pathname, query: url.searchParams, headers, body };
    this.calls.push(call);
    const answer = this.answers.get(url.pathname) ?? { status: 404, body: { message: "nothing is expected here" } };
    return answer.bodyOf ? { ...answer, body: answer.bodyOf(call) } : answer;
  }

  /** Somebody is signed in whom Auth knows; `role` null: who is no member. */
  signedIn(role: string | null): void {
    const email = "editor@example.com";
    this.on("/auth/v1/user", { body: { id: AUTH_ID, email, aud: "authenticated", app_metadata: {}, user_metadata: {} } });
    this.on("/rest/v1/users", { body: role ? [{ id: `person-${role}`, email, full_name: "E. Editor", role }] : [] });
  }

  /** Auth refuses the session, as after a forged or revoked token. */
  refused(): void {
    this.on("/auth/v1/user", { status: 403, body: { code: "bad_jwt", message: "invalid JWT" } });
  }
}

/** The cookie of a session, as @supabase/ssr keeps it for a project at 127.0.0.1. */
export function sessionCookie(expiresInSeconds = 3600): { name: string; value: string } {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + expiresInSeconds;
  const claims = { sub: AUTH_ID, email: "editor@example.com", aud: "authenticated", role: "authenticated", exp };
  const token = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}.${part({ signed: "by the stand-in" })}`;
  const session = {
    access_token: token,
    refresh_token: "refresh",
    token_type: "bearer",
    expires_in: 3600,
    expires_at: exp,
    user: { id: AUTH_ID, email: "editor@example.com" },
  };
  return { name: "sb-127-auth-token", value: `base64-${part(session)}` };
}

/** A request as a page of this app sends it. */
export function ask(path: string, body?: unknown, headers: Record<string, string> = {}): Request {
  const common = { host: "app.test", "sec-fetch-site": "same-origin", ...headers };
  if (body === undefined) return new Request(`http://app.test${path}`, { headers: common });
  return new Request(`http://app.test${path}`, {
    method: "POST",
    headers: { origin: "http://app.test", "content-type": "application/json", ...common },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}
