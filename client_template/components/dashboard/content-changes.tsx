import { Button } from "@/components/ui/button";
import type { Post } from "@/lib/posts/data";
import { PLATFORM_NAMES, PLATFORMS, platformNames, type Platform } from "@/lib/posts/platforms";

type Change = { what: string; before: string; after: string };

/** What an edit changed since the post was shown, and the button that shows the new version. */
export function ContentChanges({ before, after, onRead }: { before: Post; after: Post; onRead: () => void }) {
  return (
    <section role="alert" className="flex flex-col gap-3 rounded-lg border border-warn/40 bg-warn/10 p-4 text-sm">
      <p>
        <strong className="font-semibold">This post was edited while you had it open.</strong> Below is the version that
        you have read. Nothing can be decided about it before you have seen the new one.
      </p>
      <ul className="flex flex-col gap-3">
        {changesOf(before, after).map((change) => (
          <li key={change.what} className="flex flex-col gap-1">
            <span className="font-medium">{change.what}</span>
            <del className="rounded bg-surface px-2 py-1 break-words whitespace-pre-wrap text-text-muted">
              <span className="sr-only">Before: </span>
              {change.before || "nothing"}
            </del>
            <ins className="rounded bg-surface px-2 py-1 break-words whitespace-pre-wrap no-underline">
              <span className="sr-only">Now: </span>
              {change.after || "nothing"}
            </ins>
          </li>
        ))}
      </ul>
      <Button className="w-fit" onClick={onRead}>
        Show me the new version
      </Button>
    </section>
  );
}

function changesOf(before: Post, after: Post): Change[] {
  const changes: Change[] = [
    ...PLATFORMS.map((platform) => ({
      what: PLATFORM_NAMES[platform],
      before: words(before, platform),
      after: words(after, platform),
    })),
    { what: "Networks", before: platformNames(before.platform_ids), after: platformNames(after.platform_ids) },
    { what: "Files", before: files(before), after: files(after) },
  ];
  return changes.filter((change) => change.before !== change.after);
}

function words(post: Post, platform: Platform): string {
  const variant = post.variants[platform];
  if (!variant) return "";
  return [variant.text, ...variant.thread, variant.first_comment].filter(Boolean).join("\n\n");
}

function files(post: Post): string {
  return post.media.map((file) => (file.alt ? `${file.path} (${file.alt})` : file.path)).join("\n");
}
