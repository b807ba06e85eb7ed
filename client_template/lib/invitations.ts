/** Asks the app's server to mail somebody of the team a link to come in. */
import { DataError } from "@/lib/data-error";

const PATIENCE_MS = 30_000;

/** Throws DataError with what happened and what to do; the person is in the team all the same. */
export async function invite(userId: string): Promise<void> {
  let response: Response;
  try {
    response = await fetch("/api/invitations", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ user_id: userId }),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  } catch {
    throw new DataError("offline", 0, "No answer came. Check your connection, then send the invitation again.");
  }
  if (response.ok) return;
  const answer = (await response.json().catch(() => null)) as { error?: { code?: string; message?: string } } | null;
  const message = answer?.error?.message ?? "The invitation was not sent. Send it again in a moment.";
  throw new DataError(answer?.error?.code ?? "", response.status, message);
}
