/** What the API routes answer: JSON, never kept by a cache; errors all in one shape. */

export interface ApiProblem {
  /** For programs, such as "too_many_requests". */
  code: string;
  /** For people: what happened and what to do. */
  message: string;
  /** By the name of the field, where single ones are wrong. */
  fields?: Record<string, string>;
}

/** Ends a route with an error answer. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly problem: ApiProblem,
    readonly retryAfterSeconds?: number,
  ) {
    super(`${problem.code}: ${problem.message}`);
  }
}

export function answer(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return Response.json(body, { status, headers: { "Cache-Control": "no-store", ...headers } });
}

export function answerError(error: unknown): Response {
  if (error instanceof ApiError) {
    const { status, problem, retryAfterSeconds } = error;
    const headers: Record<string, string> = retryAfterSeconds ? { "Retry-After": String(retryAfterSeconds) } : {};
    return answer(status, { error: problem }, headers);
  }
  console.error("an API route failed", error);
  const message = "Something failed on our side. Nothing that you typed is lost; try again in a moment.";
  return answer(500, { error: { code: "internal", message } satisfies ApiProblem });
}

/** To a path of this app: relative, since behind a proxy a server does not know by which name it was called. */
export function redirectTo(path: string): Response {
  return new Response(null, { status: 303, headers: { Location: path, "Cache-Control": "no-store" } });
}
