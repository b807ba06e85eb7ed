/** The pages that an analysis rests on, as they were when they were read. */
import { WebAddress } from "@/components/dashboard/evidence-list";
import { Card, CardContent, CardDescription, CardHeader, CardTitle } from "@/components/ui/card";
import { formatDay } from "@/lib/utils/dates";

type Page = { url: string; title: string | null; subject: string; fetched_at: string };

export function LeadPages({ pages }: { pages: readonly Page[] }) {
  if (!pages.length) return null;
  return (
    <Card>
      <CardHeader>
        <CardTitle>Evidence</CardTitle>
        <CardDescription>The pages that were read. Each quote above was looked up in them, word for word.</CardDescription>
      </CardHeader>
      <CardContent>
        <ul className="flex flex-col gap-3 text-sm">
          {pages.map((page) => (
            <li key={`${page.url} ${page.fetched_at}`} className="min-w-0">
              {page.title ? <span className="block break-words">{page.title}</span> : null}
              <WebAddress address={page.url} />
              <span className="block text-xs text-text-muted">
                {page.subject === "competitor" ? "about competitors" : "about the company"}, read on {formatDay(page.fetched_at)}
              </span>
            </li>
          ))}
        </ul>
      </CardContent>
    </Card>
  );
}
