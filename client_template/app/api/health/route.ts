/**
 * GET: whether this app and what it needs stand, for monitors. Open to everybody, so it says states and no names.
 *
 * 200 {"status": "healthy", "services": {...}}, or 503 with "degraded".
 */
import { answer } from "@/lib/api/answers";
import { supabaseAddress } from "@/lib/environment";
import { hasWebhooks } from "@/lib/n8n/webhooks";

export const dynamic = "force-dynamic";

const ANSWER_MS = 3_000;
const KEPT_MS = 10_000;
/** Kept for a moment: whoever asks a thousand times makes one call to the database's service. */
let last: { at: number; state: Promise<"connected" | "unreachable"> } | null = null;

export async function GET(): Promise<Response> {
  if (!last || Date.now() - last.at > KEPT_MS) last = { at: Date.now(), state: supabaseState() };
  const services = { supabase: await last.state, webhooks: hasWebhooks() ? "configured" : "missing" };
  const isHealthy = services.supabase === "connected" && services.webhooks === "configured";
  return answer(isHealthy ? 200 : 503, { status: isHealthy ? "healthy" : "degraded", services });
}

async function supabaseState(): Promise<"connected" | "unreachable"> {
  try {
    const { url, key } = supabaseAddress();
    const response = await fetch(`${url}/auth/v1/health`, {
      headers: { apikey: key },
      signal: AbortSignal.timeout(ANSWER_MS),
      cache: "no-store",
    });
    return response.ok ? "connected" : "unreachable";
  } catch {
    return "unreachable";
  }
}
