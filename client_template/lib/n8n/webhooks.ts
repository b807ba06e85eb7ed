/**
 * Calls of the organization's webhooks, with its token. The token stays on the server.
 *
 * The addresses are DRAGGONNB_WEBHOOK_URL with /generate-content, /analytics or /notifications behind it; n8n or
 * DraggonnB itself answers there, with JSON, or with problem details (RFC 9457) that name wrong fields.
 */
import "server-only";

import { z } from "zod";

import { ApiError } from "@/lib/api/answers";

const ANSWER_MS = 15_000;
const accepted = z.object({ id: z.string(), status: z.string(), duplicate: z.boolean().default(false) });
const refused = z.object({
  detail: z.string().optional(),
  type: z.string().optional(),
  errors: z.array(z.object({ field: z.string(), detail: z.string() })).optional(),
});

export type Webhook = "generate-content" | "analytics" | "notifications";
export type Accepted = z.infer<typeof accepted>;

/**
 * Hands a request over; it is worked on afterwards.
 *
 * `deliveryId` makes a repeat harmless: after an answer that never came, the same call is recognised.
 */
export async function callWebhook(name: Webhook, body: object, deliveryId: string): Promise<Accepted> {
  const { url, token } = address();
  let response: Response;
  try {
    response = await fetch(`${url}/${name}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Webhook-Token": token, "X-Delivery-Id": deliveryId },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_MS),
      // The token must not follow to another address.
      redirect: "error",
      cache: "no-store",
    });
  } catch (cause) {
    console.error(`the webhook ${name} does not answer`, cause);
    throw unavailable();
  }
  const content: unknown = await response.json().catch(() => null);
  if (!response.ok) throw refusal(name, response, content);
  const known = accepted.safeParse(content);
  if (known.success) return known.data;
  console.error(`the webhook ${name} answered ${response.status} without an id`);
  throw unavailable();
}

/** Whether both variables are there; says nothing about what is in them. */
export function hasWebhooks(): boolean {
  return Boolean(process.env.DRAGGONNB_WEBHOOK_URL && process.env.DRAGGONNB_WEBHOOK_TOKEN);
}

function address(): { url: string; token: string } {
  const url = process.env.DRAGGONNB_WEBHOOK_URL?.replace(/\/+$/, "");
  const token = process.env.DRAGGONNB_WEBHOOK_TOKEN;
  if (!url || !token) {
    console.error("DRAGGONNB_WEBHOOK_URL and DRAGGONNB_WEBHOOK_TOKEN must be set; see .env.example");
    throw notSetUp();
  }
  return { url, token };
}

function refusal(name: Webhook, response: Response, content: unknown): ApiError {
  const { status } = response;
  const problem = refused.safeParse(content).data ?? {};
  if (status === 422) {
    const fields = Object.fromEntries((problem.errors ?? []).map(({ field, detail }) => [field, detail]));
    return new ApiError(422, { code: "invalid", message: "Correct the named fields and send it again.", fields });
  }
  if (status === 429) {
    const isPlan = problem.type?.endsWith("#over-plan") ?? false;
    const wait = Number(response.headers.get("retry-after")) || undefined;
    return isPlan
      ? new ApiError(429, { code: "over_plan", message: "Your plan has no call left this month. Choose a larger plan." })
      : new ApiError(429, { code: "too_many_requests", message: "Too many requests at once. Wait a minute." }, wait ?? 60);
  }
  console.error(`the webhook ${name} answered ${status}`);
  return status >= 500 || status === 408 ? unavailable() : notSetUp();
}

function unavailable(): ApiError {
  const message = "DraggonnB did not answer. Your text is kept here; send it again in a moment: nothing is done twice.";
  return new ApiError(503, { code: "unavailable", message }, 5);
}

function notSetUp(): ApiError {
  const message = "This app may not hand over requests at the moment. Your text is kept; please tell your agency.";
  return new ApiError(502, { code: "not_set_up", message });
}
