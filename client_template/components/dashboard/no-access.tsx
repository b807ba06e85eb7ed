import { UserX } from "lucide-react";

import { BrandMark } from "@/components/dashboard/brand-mark";
import { SignOutButton } from "@/components/auth/sign-out-button";
import { config } from "@/lib/config";

/** For who is signed in and has no role here: nothing of the organization, and the ways on. */
export function NoAccess({ email }: { email: string }) {
  return (
    <main className="mx-auto flex min-h-dvh w-full max-w-md flex-col justify-center gap-6 px-5 py-12">
      <div className="flex items-center gap-3">
        <BrandMark />
        <span className="min-w-0 truncate font-semibold">{config.name}</span>
      </div>
      <div className="flex flex-col gap-4 rounded-xl border border-line bg-surface p-6 shadow-xs">
        <span className="flex size-12 items-center justify-center rounded-full bg-surface-muted text-text-muted">
          <UserX className="size-6" aria-hidden />
        </span>
        <div className="flex flex-col gap-2">
          <h1 className="text-xl leading-7 font-semibold tracking-tight">You have no role here yet</h1>
          <p className="leading-6 text-text-muted">
            You are signed in as <strong className="font-medium break-words text-text">{email || "an unknown address"}</strong>,
            but this address does not belong to an active member of {config.name}.
          </p>
          <p className="leading-6 text-text-muted">
            Ask the owner or an admin to add you under Settings, Team. If you have another address, sign out and use that
            one.
          </p>
        </div>
        <SignOutButton variant="secondary" />
      </div>
    </main>
  );
}
