/**
 * The five metrics that a plan limits, as usage_counters has them: how full each is, and from which share on it is said.
 * The same rules as the server's: what work in progress holds counts as taken, a null limit is none.
 */

export const USAGE_METRICS = {
  posts_monthly: "Posts this month",
  ai_generations: "AI texts this month",
  social_accounts: "Connected accounts",
  users: "Active users",
  api_calls: "API calls this month",
} as const;
export type UsageMetric = keyof typeof USAGE_METRICS;
export const USAGE_NAMES = Object.keys(USAGE_METRICS) as UsageMetric[];

/** What exists counts for as long as it exists; the rest begins again each month. */
const LASTING: readonly UsageMetric[] = ["social_accounts", "users"];

export type UsageCounter = {
  metric: string;
  period_start: string;
  period_end: string;
  used: number;
  reserved: number;
  limit_value: number | null;
};

/** level: ok, near (80 % and more), full (100 % and more); null where no counter tells. */
export type Usage = {
  metric: UsageMetric;
  label: string;
  taken: number | null;
  reserved: number;
  limit: number | null;
  percent: number | null;
  level: "ok" | "near" | "full" | null;
  resetsOn: string | null;
};

/**
 * One line for each of the five metrics, also for those that have no counter of today yet.
 *
 * @param today the organization's local day: counters of other months do not count.
 */
export function usageOf(counters: readonly UsageCounter[], today: string): Usage[] {
  return USAGE_NAMES.map((metric) => {
    const counter = counters.find(
      (one) => one.metric === metric && one.period_start <= today && today < one.period_end,
    );
    const label = USAGE_METRICS[metric];
    if (!counter) {
      return { metric, label, taken: null, reserved: 0, limit: null, percent: null, level: null, resetsOn: null };
    }
    const taken = counter.used + counter.reserved;
    return {
      metric,
      label,
      taken,
      reserved: counter.reserved,
      limit: counter.limit_value,
      ...fullness(taken, counter.limit_value),
      resetsOn: LASTING.includes(metric) ? null : counter.period_end,
    };
  });
}

/** Percent to one decimal place. A limit of 0 is full once it is used; thresholds are compared exactly, unrounded. */
function fullness(taken: number, limit: number | null): Pick<Usage, "percent" | "level"> {
  if (limit === null) return { percent: null, level: "ok" };
  const percent = limit === 0 ? (taken > 0 ? 100 : 0) : Math.round((1000 * taken) / limit) / 10;
  if (taken > 0 && taken >= limit) return { percent, level: "full" };
  return { percent, level: taken > 0 && taken * 100 >= limit * 80 ? "near" : "ok" };
}
