/** Connected social accounts: what their state means, and what a person does about it. */
import { platformName } from "@/lib/analytics/snapshots";

export type Account = {
  id: string;
  platform_id: string;
  external_id: string;
  handle: string | null;
  display_name: string | null;
  status: "connected" | "reconnect_needed" | "permission_missing" | "blocked" | "disconnected";
  status_reason: string | null;
  paused_until: string | null;
  expires_at: string | null;
  data_access_expires_at: string | null;
  last_checked_at: string | null;
};
export const ACCOUNT_COLUMNS =
  "id, platform_id, external_id, handle, display_name, status, status_reason, paused_until, expires_at, " +
  "data_access_expires_at, last_checked_at";

export type Standing = { label: string; tone: "good" | "warn" | "bad" | "secondary"; meaning: string; steps: string[] };

const DAY_MS = 86_400_000;
/** The owners are mailed as far ahead. */
const ENDS_SOON_DAYS = 14;
// Where LinkedIn gave a refresh token, which the app cannot see, the access is renewed 10 days before its end.
const LINKEDIN_ENDS_SOON_DAYS = 9;
const RENEWED_BY_ITSELF: readonly string[] = ["x"];

export function accountName(account: Account): string {
  return account.display_name || account.handle || account.external_id;
}

/** When a person must have connected it again: the earlier of the token's end and that of the access to data. */
export function endsAt(account: Account): string | null {
  const token = RENEWED_BY_ITSELF.includes(account.platform_id) ? null : account.expires_at;
  const ends = [token, account.data_access_expires_at].filter((one): one is string => one !== null);
  return ends.length ? ends.reduce((a, b) => (Date.parse(a) <= Date.parse(b) ? a : b)) : null;
}

export function standingOf(account: Account, now: Date): Standing {
  const network = platformName(account.platform_id);
  const again = [
    `Sign in at ${network} as a person who administers this account, and check that you see it there.`,
    `Ask DraggonnB to connect "${accountName(account)}" again, and confirm the access when ${network} asks for it.`,
    "Posts that wait for this account go out by themselves afterwards; late ones follow your rule for late posts.",
  ];
  switch (account.status) {
    case "reconnect_needed":
      return { label: "Connect again", tone: "bad", meaning: `${network} no longer accepts the access.`, steps: again };
    case "permission_missing":
      return {
        label: "Permission missing",
        tone: "bad",
        meaning: `${network} says that a role or a permission was taken away.`,
        steps: [`Give back the role or the permission at ${network}.`, ...again],
      };
    case "blocked":
      return {
        label: "Blocked by the network",
        tone: "bad",
        meaning: `${network} has blocked the account.`,
        steps: [
          `Sign in at ${network} and look at what it says about the account.`,
          "Nothing else is needed here: it is tried again after the pause.",
        ],
      };
    case "disconnected":
      return { label: "Not connected", tone: "secondary", meaning: "Nothing is published to it.", steps: again.slice(0, 2) };
    case "connected": {
      if (account.paused_until && Date.parse(account.paused_until) > now.getTime()) {
        return {
          label: "Pausing",
          tone: "warn",
          meaning: `${network} asked us to wait. It goes on by itself; there is nothing to do.`,
          steps: [],
        };
      }
      const ends = endsAt(account);
      const soon = account.platform_id === "linkedin" ? LINKEDIN_ENDS_SOON_DAYS : ENDS_SOON_DAYS;
      if (ends && Date.parse(ends) - now.getTime() < soon * DAY_MS) {
        return { label: "Ends soon", tone: "warn", meaning: `${network} must be connected again soon.`, steps: again };
      }
      return { label: "Connected", tone: "good", meaning: "Posts go out to it.", steps: [] };
    }
  }
}
