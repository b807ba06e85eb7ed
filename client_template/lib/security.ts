/** The Content Security Policy of every page. Headers that are the same for all answers are in next.config.ts. */

/**
 * Scripts run only with this answer's nonce. Styles may be inline: calendar, charts and toasts write theirs when they
 * run, and a style runs no code.
 */
export function contentSecurityPolicy(nonce: string, supabaseUrl: string, isDevelopment = false): string {
  const { origin, host, protocol } = new URL(supabaseUrl);
  const socket = `${protocol === "https:" ? "wss" : "ws"}://${host}`;
  const rules = {
    "default-src": "'self'",
    "script-src": `'self' 'nonce-${nonce}' 'strict-dynamic'${isDevelopment ? " 'unsafe-eval'" : ""}`,
    "style-src": "'self' 'unsafe-inline'",
    "img-src": `'self' data: blob: ${origin}`,
    "media-src": `'self' blob: ${origin}`,
    "font-src": "'self' data:",
    "connect-src": `'self' ${origin} ${socket}${isDevelopment ? " ws:" : ""}`,
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
  };
  return Object.entries(rules)
    .map(([name, value]) => `${name} ${value}`)
    .join("; ");
}
