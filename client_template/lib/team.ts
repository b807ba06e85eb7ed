/** The people of the organization: who may change whom. The policies decide; this spares people what they would refuse. */
import { ROLES, type Role } from "@/lib/roles";

export type Member = {
  id: string;
  email: string;
  full_name: string | null;
  role: Role;
  is_active: boolean;
  auth_user_id: string | null;
};
export const MEMBER_COLUMNS = "id, email, full_name, role, is_active, auth_user_id";

/** What each role may do, in a line. */
export const ROLE_MEANINGS: Record<Role, string> = {
  owner: "everything, and the other owners",
  admin: "everything but the owners",
  editor: "writes posts, works on leads and deals",
  approver: "approves posts",
  viewer: "reads",
};

/** Roles that a person may give: admins cannot make an owner. */
export function rolesToGive(mine: Role): readonly Role[] {
  if (mine === "owner") return ROLES;
  return mine === "admin" ? ROLES.filter((role) => role !== "owner") : [];
}

/** Nobody takes their own rights away: the last owner could never give them back. */
export function canChange(me: { id: string; role: Role }, member: Member): boolean {
  return member.id !== me.id && rolesToGive(me.role).includes(member.role);
}

export function emailFault(email: string): string | null {
  return /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(email.trim()) && email.length <= 320 ? null : "Write an e-mail address.";
}
