/** Who may do what in the app. The database's policies decide; this only spares people buttons that would refuse. */
export const ROLES = ["owner", "admin", "editor", "approver", "viewer"] as const;
export type Role = (typeof ROLES)[number];

export const ROLE_NAMES: Record<Role, string> = {
  owner: "Owner",
  admin: "Admin",
  editor: "Editor",
  approver: "Approver",
  viewer: "Viewer",
};

export type Action =
  | "generate"
  | "approve"
  | "schedule"
  | "manage_accounts"
  | "manage_team"
  | "see_billing"
  | "edit_leads"
  | "see_leads";

const ALLOWED: Record<Action, readonly Role[]> = {
  generate: ["owner", "admin", "editor"],
  approve: ["owner", "admin", "approver"],
  schedule: ["owner", "admin", "editor"],
  manage_accounts: ["owner", "admin"],
  manage_team: ["owner", "admin"],
  see_billing: ["owner", "admin"],
  edit_leads: ["owner", "admin", "editor"],
  see_leads: ROLES,
};

/** Whether the role alone allows it. Rights given to single people (user_permissions) come on top. */
export function can(role: Role, action: Action): boolean {
  return ALLOWED[action].includes(role);
}
