/** POST {@link contentRequest}: hands a request for content over; 202 {id, status, duplicate}, id being content_requests.id. */
import { answer } from "@/lib/api/answers";
import { bodyAs, personRoute } from "@/lib/api/person-route";
import { RateLimit } from "@/lib/api/rate-limit";
import { contentRequest } from "@/lib/n8n/requests";
import { callWebhook } from "@/lib/n8n/webhooks";

const limit = new RateLimit(10);

export const POST = personRoute({ limit, action: "generate" }, async ({ request, person }) => {
  const { delivery_id, ...wish } = await bodyAs(request, contentRequest);
  const given = Object.fromEntries(Object.entries(wish).filter(([, value]) => value !== null && value !== undefined));
  // Who asks is what the session says, whatever the browser sends.
  const body = { ...given, requested_by: person.email, source: "app" };
  return answer(202, await callWebhook("generate-content", body, delivery_id));
});
