/**
 * Money as whole cents: written for people, read from what they type, added up.
 *
 * Cents come from bigint columns as JSON numbers, exact below 2^53 (90 trillion rand). Nothing is ever added up over
 * two currencies.
 */

/** 123456 cents of ZAR in en-ZA: "R 1 234,56". Whole amounts may leave the cents out. */
export function formatMoney(cents: number, currency: string, locale: string, options?: { whole?: boolean }): string {
  const digits = options?.whole && cents % 100 === 0 ? 0 : 2;
  return new Intl.NumberFormat(locale, {
    style: "currency",
    currency,
    currencyDisplay: "narrowSymbol",
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(cents / 100);
}

const MOST_CENTS = 100_000_000_000_00;

/**
 * Cents of what somebody typed: "1 234,56", "R1,234.56", "1234". Null where it is no amount of at most two decimals.
 *
 * The last comma or point counts as the decimal mark if one or two digits follow it; all others group thousands.
 */
export function parseMoney(text: string): number | null {
  const bare = text.trim().replace(/^[A-Z]{0,3}\s*[R$€£]?\s*/i, "");
  const match = /^(\d[\d\s,.'\u00a0\u202f]*?)(?:[.,](\d{1,2}))?$/.exec(bare);
  if (!match) return null;
  const groups = (match[1] ?? "").split(/[\s,.'\u00a0\u202f]+/);
  const [first = "", ...rest] = groups;
  if (rest.some((group) => group.length !== 3) || (rest.length > 0 && first.length > 3)) return null;
  const cents = Number(groups.join("")) * 100 + Number((match[2] ?? "").padEnd(2, "0"));
  return cents <= MOST_CENTS ? cents : null;
}

export type Amount = { cents: number; currency: string };

/** One sum for each currency, the largest first. */
export function sumByCurrency(amounts: Iterable<Amount>): Amount[] {
  const sums = new Map<string, number>();
  for (const { cents, currency } of amounts) sums.set(currency, (sums.get(currency) ?? 0) + cents);
  return [...sums].map(([currency, cents]) => ({ currency, cents })).sort((a, b) => b.cents - a.cents);
}
