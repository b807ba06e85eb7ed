/** Addresses from data: a company's page, a model's answer, a webhook can hold any scheme, also javascript:. */

/** The address if it may stand in a link to another site: http or https, without a password in it; else null. */
export function webLink(address: string | null | undefined): string | null {
  if (!address) return null;
  try {
    const url = new URL(address);
    const isWeb = url.protocol === "https:" || url.protocol === "http:";
    return isWeb && !url.username && !url.password ? url.href : null;
  } catch {
    return null;
  }
}

/** The same, or a path of this app, such as /approvals; else null. */
export function appOrWebLink(address: string | null | undefined): string | null {
  // Browsers drop tabs and line breaks from an address before they read it: "/\n/evil.example" leads away.
  if (address && /^\/(?![/\\])[^\s\\]*$/.test(address)) return address;
  return webLink(address);
}
