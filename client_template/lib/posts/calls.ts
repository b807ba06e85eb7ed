/** The app's own addresses that posts need, and their answers and errors. The server adds what is secret. */

export type ContentOrder = {
  delivery_id: string;
  brief: string;
  platforms: string[];
  template?: string;
  media: { path: string; alt?: string }[];
  publish_at?: string;
  next_free_slot?: boolean;
  as_soon_as_approved?: boolean;
};

export type ReviewDecision = "approve" | "request_changes" | "reject";

/** An answer that is no success: `code` for us, `message` for people, `fields` for the form. Status 0: no answer. */
export class CallRefused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly fields: Record<string, string> = {},
  ) {
    super(message);
    this.name = "CallRefused";
  }
}

/** Ask for content. The same delivery id again is the same request: after a lost answer it may be sent once more. */
export async function orderContent(order: ContentOrder): Promise<{ id: string }> {
  return (await post("/api/generate-content", order)) as { id: string };
}

/** Decide about exactly the content with this hash. */
export async function decide(order: {
  post_id: string;
  content_hash: string;
  decision: ReviewDecision;
  comment: string;
}): Promise<void> {
  await post("/api/approve-post", order);
}

async function post(path: string, body: unknown): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(30_000),
    });
  } catch {
    throw new CallRefused(
      0,
      "offline",
      "No answer came. Check the connection and try again; nothing you typed is lost.",
    );
  }
  const answer: unknown = await response.json().catch(() => null);
  if (response.ok) return answer;
  const { code = "failed", message, fields } = (answer as { error?: Partial<CallRefused> } | null)?.error ?? {};
  throw new CallRefused(
    response.status,
    code,
    message ?? `The server answered ${response.status}. Try again in a minute; nothing you typed is lost.`,
    fields,
  );
}
