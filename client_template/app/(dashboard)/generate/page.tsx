import type { Metadata } from "next";

import { ContentGenerator } from "@/components/dashboard/content-generator";
import type { ConnectedAccount } from "@/components/dashboard/request-form";
import { dataOf } from "@/lib/data-error";
import { isPlatform } from "@/lib/posts/platforms";
import { currentPerson } from "@/lib/session";
import { serverClient } from "@/lib/supabase/server";

export const metadata: Metadata = { title: "Generate" };

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

type Address = { searchParams: Promise<Record<string, string | string[] | undefined>> };

export default async function GeneratePage({ searchParams }: Address) {
  const person = await currentPerson();
  if (!person) return null; // the layout says why
  const [{ request, post }, accounts, templates] = await Promise.all([searchParams, readAccounts(), readTemplates()]);
  return (
    <div className="flex flex-col gap-6">
      <header className="flex flex-col gap-1">
        <h1 className="text-2xl font-semibold tracking-tight">Generate</h1>
        <p className="text-sm text-text-muted">
          Say what is new. A post for each network comes back, held against your rules.
        </p>
      </header>
      <ContentGenerator
        key={`${idOf(request)} ${idOf(post)}`}
        person={{ id: person.id, role: person.role }}
        accounts={accounts}
        templates={templates}
        requestId={idOf(request)}
        postId={idOf(post)}
      />
    </div>
  );
}

async function readAccounts(): Promise<ConnectedAccount[]> {
  const client = await serverClient();
  const rows = dataOf(
    await client
      .from("social_accounts")
      .select("platform_id, handle, display_name, external_id, status")
      .order("created_at"),
  );
  return rows.flatMap(({ platform_id, handle, display_name, external_id, status }) =>
    isPlatform(platform_id)
      ? [{ platform: platform_id, name: display_name || handle || external_id, isConnected: status === "connected" }]
      : [],
  );
}

async function readTemplates(): Promise<string[]> {
  const client = await serverClient();
  return dataOf(await client.from("content_templates").select("name").eq("is_archived", false).order("name")).map(
    ({ name }) => name,
  );
}

/** What the address names, if it can be an id. */
function idOf(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" && UUID.test(value) ? value : undefined;
}
