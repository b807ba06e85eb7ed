/** Addresses within this app. */

/**
 * A path of this app, as given in an address, or the fallback.
 *
 * Browsers read //host, /\host and a line break in between as another host: none of these leads anywhere.
 */
export function localPath(value: string | null | undefined, fallback: string): string {
  if (!value || !value.startsWith("/") || /[\\\s\p{Cc}]/u.test(value)) return fallback;
  const base = "http://app.invalid";
  try {
    const url = new URL(value, base);
    return url.origin === base && !url.pathname.startsWith("//") ? url.pathname + url.search + url.hash : fallback;
  } catch {
    return fallback;
  }
}
