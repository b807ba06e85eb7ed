import type { Metadata } from "next";
import Link from "next/link";

import { AuthCard } from "@/components/auth/auth-card";
import { PasswordForm } from "@/components/auth/password-form";
import { SignOutButton } from "@/components/auth/sign-out-button";
import { Button } from "@/components/ui/button";
import { config } from "@/lib/config";
import { currentSession } from "@/lib/session";

export const metadata: Metadata = { title: "Join" };

/** Nobody signs up here: who was invited and has opened the link chooses a password; others learn how to get in. */
export default async function RegisterPage() {
  const session = await currentSession();
  if (session.kind === "nobody") return <HowToJoin />;
  const email = session.kind === "person" ? session.person.email : session.email;
  return (
    <AuthCard
      title="Choose your password"
      lead={
        <>
          You are signed in as <strong className="font-medium break-words text-text">{email}</strong>. Next time you come
          in with this password.
        </>
      }
      foot={
        <>
          Not you? <SignOutButton className="h-auto px-0 align-baseline" variant="link" label="Sign out" />
        </>
      }
    >
      <PasswordForm email={email} />
    </AuthCard>
  );
}

function HowToJoin() {
  const steps = [
    "The owner or an admin of your organization adds you under Settings, Team.",
    "An invitation arrives in your mailbox. It is good for one use.",
    "Open its link: you come back to this page, signed in, and choose a password.",
  ];
  return (
    <AuthCard
      title="You join by invitation"
      lead={`${config.name} is not open for sign-up. This is how you get in:`}
      foot="Is the invitation too old? Ask for a new one, or sign in by a link if you have been here before."
    >
      <ol className="flex flex-col gap-4">
        {steps.map((step, place) => (
          <li key={step} className="flex gap-3 leading-6">
            <span
              aria-hidden
              className="flex size-7 shrink-0 items-center justify-center rounded-full bg-brand-soft text-sm font-semibold text-brand-text"
            >
              {place + 1}
            </span>
            {step}
          </li>
        ))}
      </ol>
      <Button asChild size="lg" variant="secondary">
        <Link href="/login">I have an account: sign in</Link>
      </Button>
    </AuthCard>
  );
}
