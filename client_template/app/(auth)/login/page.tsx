import type { Metadata } from "next";
import { redirect } from "next/navigation";

import { AuthCard } from "@/components/auth/auth-card";
import { LoginForm } from "@/components/auth/login-form";
import { authProblem } from "@/lib/auth-problems";
import { config } from "@/lib/config";
import { currentSession } from "@/lib/session";
import { localPath } from "@/lib/utils/paths";

export const metadata: Metadata = { title: "Sign in" };

type Query = Promise<{ next?: string | string[]; problem?: string | string[] }>;

export default async function LoginPage({ searchParams }: { searchParams: Query }) {
  const { next, problem } = await searchParams;
  const target = localPath(first(next), "/dashboard");
  const session = await currentSession().catch(() => null);
  if (session?.kind === "person") redirect(target);
  return (
    <AuthCard
      title="Sign in"
      lead={`Welcome to ${config.name}.`}
      foot={
        <>
          Here for the first time? People are invited by e-mail: open the link in your invitation, or ask the owner of
          your organization for one.
        </>
      }
    >
      {/* The key: a link that failed arrives on this page without loading it anew. */}
      <LoginForm key={first(problem)} next={target} problem={problem ? authProblem(first(problem)!) : null} />
    </AuthCard>
  );
}

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
