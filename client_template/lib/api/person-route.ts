/**
 * What every API route does before its own work: whose page asks, who is signed in, may they, how often.
 *
 * Not here: what the routes do (app/api), the shape of answers (answers.ts).
 */
import "server-only";

import type { SupabaseClient } from "@supabase/supabase-js";
import type { z } from "zod";

import { answerError, ApiError } from "@/lib/api/answers";
import { isSameOrigin } from "@/lib/api/origin";
import type { RateLimit } from "@/lib/api/rate-limit";
import { can, type Action } from "@/lib/roles";
import { currentSession, type Person } from "@/lib/session";
import { serverClient } from "@/lib/supabase/server";
import type { Database } from "@/lib/supabase/types";

const MOST_BODY_BYTES = 64 * 1024;

export interface Visit {
  request: Request;
  person: Person;
  /** The database as this person may see it. */
  supabase: SupabaseClient<Database>;
}

/** A route for signed-in members of this organization; `action` is refused to roles that may not. */
export function personRoute(
  rules: { limit: RateLimit; action?: Action },
  work: (visit: Visit) => Promise<Response>,
): (request: Request) => Promise<Response> {
  return async (request) => {
    try {
      if (!isSameOrigin(request)) {
        throw new ApiError(403, { code: "other_origin", message: "Only pages of this app may ask this." });
      }
      const person = await member();
      if (rules.action && !can(person.role, rules.action)) {
        throw new ApiError(403, { code: "forbidden", message: "Your role does not allow this. Ask an owner or admin." });
      }
      const wait = rules.limit.secondsToWait(person.id);
      if (wait > 0) {
        const message = `That was too often in a short time. Try again in ${wait} seconds.`;
        throw new ApiError(429, { code: "too_many_requests", message }, wait);
      }
      return await work({ request, person, supabase: await serverClient() });
    } catch (error) {
      return answerError(error);
    }
  };
}

async function member(): Promise<Person> {
  let session;
  try {
    session = await currentSession();
  } catch (cause) {
    console.error("nobody can be recognised now", cause);
    const message = "The database cannot be reached. Nothing was sent; try again in a moment.";
    throw new ApiError(503, { code: "unavailable", message }, 5);
  }
  if (session.kind === "person") return session.person;
  if (session.kind === "stranger") {
    throw new ApiError(403, { code: "no_role", message: "Your account has no role in this organization." });
  }
  throw new ApiError(401, { code: "signed_out", message: "Your session has ended. Sign in again, then repeat this." });
}

/** The request's JSON in the shape that the route takes. */
export async function bodyAs<Shape extends z.ZodType>(request: Request, shape: Shape): Promise<z.infer<Shape>> {
  if (!/^application\/json\s*(;|$)/i.test(request.headers.get("content-type") ?? "")) {
    throw new ApiError(415, { code: "unsupported_media_type", message: "Send application/json." });
  }
  const parsed = shape.safeParse(parseJson(await textOf(request)));
  if (parsed.success) return parsed.data;
  const fields: Record<string, string> = {};
  for (const issue of parsed.error.issues) fields[fieldName(issue.path)] ??= issue.message;
  throw new ApiError(422, { code: "invalid", message: "Correct the named fields and send it again.", fields });
}

/** Read piece by piece: what is too long is not waited for. */
async function textOf(request: Request): Promise<string> {
  const reader = request.body?.getReader();
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for (let piece = await reader?.read(); reader && piece && !piece.done; piece = await reader.read()) {
    bytes += piece.value.byteLength;
    if (bytes > MOST_BODY_BYTES) {
      await reader.cancel();
      throw new ApiError(413, { code: "too_large", message: "That is too long; shorten it and send it again." });
    }
    pieces.push(piece.value);
  }
  return Buffer.concat(pieces).toString("utf-8");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError(400, { code: "malformed", message: "The body is not JSON." });
  }
}

/** As the webhooks name fields: media[0] for all that is wrong with the first file. */
function fieldName([name, place]: PropertyKey[]): string {
  if (name === undefined) return "body";
  return typeof place === "number" ? `${String(name)}[${place}]` : String(name);
}
