/**
 * How often one person may call one route.
 *
 * Kept in this process: several instances of the app each allow as much. It stops a loop or a stuck key; what an
 * organization may do in all is limited at DraggonnB, behind the webhooks.
 */
const MINUTE_MS = 60_000;
const MOST_CALLERS = 10_000;

export class RateLimit {
  private readonly calls = new Map<string, number[]>();

  constructor(private readonly perMinute: number) {}

  /** Counts the call and gives 0, or gives the seconds to wait and counts nothing. */
  secondsToWait(caller: string, now: number = Date.now()): number {
    const recent = (this.calls.get(caller) ?? []).filter((at) => at > now - MINUTE_MS);
    const oldest = recent[0];
    if (oldest !== undefined && recent.length >= this.perMinute) {
      this.calls.set(caller, recent);
      return Math.max(1, Math.ceil((oldest + MINUTE_MS - now) / 1000));
    }
    if (!this.calls.has(caller) && this.calls.size >= MOST_CALLERS) this.forget(now);
    this.calls.set(caller, [...recent, now]);
    return 0;
  }

  private forget(now: number): void {
    for (const [caller, calls] of this.calls) {
      if (calls.every((at) => at <= now - MINUTE_MS)) this.calls.delete(caller);
    }
    // All of them busy: the one that came first makes room, so that memory has an end.
    const first = this.calls.keys().next();
    if (this.calls.size >= MOST_CALLERS && !first.done) this.calls.delete(first.value);
  }
}
