/** Whether a page of this app is asking. Cookies come along with other sites' requests too; their pages are refused. */

/**
 * By what the browser says itself (Sec-Fetch-Site, Origin), which no page can change.
 *
 * A request that changes something must say it; a plain read may come without, as from a typed address.
 */
export function isSameOrigin(request: Request): boolean {
  const site = request.headers.get("sec-fetch-site");
  const origin = request.headers.get("origin");
  const isRead = request.method === "GET" || request.method === "HEAD";
  if (site !== null && site !== "same-origin" && !(isRead && site === "none")) return false;
  if (origin === null) return isRead || site === "same-origin";
  try {
    return new URL(origin).host === request.headers.get("host");
  } catch {
    return false; // "null", from a sandboxed frame or a file
  }
}
