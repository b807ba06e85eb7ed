/** GET: how far the plan is used, as the signed-in person may see it: {metrics: Usage[]}, see lib/usage.ts. */
import { DateTime } from "luxon";

import { answer, ApiError } from "@/lib/api/answers";
import { personRoute } from "@/lib/api/person-route";
import { RateLimit } from "@/lib/api/rate-limit";
import { config } from "@/lib/config";
import { usageOf } from "@/lib/usage";

const limit = new RateLimit(60);

export const GET = personRoute({ limit }, async ({ supabase }) => {
  const today = DateTime.now().setZone(config.timezone).toISODate()!;
  const { data, error } = await supabase
    .from("usage_counters")
    .select("metric, period_start, period_end, used, reserved, limit_value")
    .lte("period_start", today)
    .gt("period_end", today);
  if (error) {
    console.error("usage cannot be read", error.code);
    throw new ApiError(503, { code: "unavailable", message: "The numbers cannot be read now. Try again." }, 5);
  }
  return answer(200, { metrics: usageOf(data, today) });
});
