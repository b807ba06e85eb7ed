/** A post's words as somebody is changing them, kept for the tab until saved, with the content they began from. */
import { z } from "zod";

import { useDraft } from "@/lib/use-draft";
import type { Post } from "./data";
import { PLATFORMS, type Platform } from "./platforms";
import type { Variant } from "./rules";

const variant = z.object({ text: z.string(), thread: z.array(z.string()), first_comment: z.string().nullable() });
const shape = z.object({
  basedOn: z.string(),
  variants: z.partialRecord(z.enum(PLATFORMS), variant),
  platforms: z.array(z.enum(PLATFORMS)),
});
type Draft = z.infer<typeof shape>;

function readDraft(kept: unknown): Draft | null {
  return shape.safeParse(kept).data ?? null;
}

export function usePostDraft(post: Post, personId: string) {
  const [draft, change] = useDraft(`post:${personId}:${post.id}`, readDraft);
  const stored: Draft = { basedOn: post.content_hash, variants: post.variants, platforms: post.platform_ids };
  const { basedOn, variants, platforms } = draft ?? stored;
  const edit = (part: Partial<Draft>) => {
    const next = { basedOn, variants, platforms, ...part };
    change(isSame(next, stored) && next.basedOn === stored.basedOn ? null : next);
  };
  return {
    variants,
    platforms,
    /** The hash of the content that was being edited. */
    basedOn,
    isChanged: draft !== null && !isSame(draft, stored),
    /** Somebody saved other words since this draft was begun. */
    isOvertaken: draft !== null && basedOn !== post.content_hash && !isSame(draft, stored),
    write: (platform: Platform, words: Variant) => edit({ variants: { ...variants, [platform]: words } }),
    choose: (platform: Platform, isIn: boolean) =>
      edit({ platforms: post.platform_ids.filter((one) => (one === platform ? isIn : platforms.includes(one))) }),
    /** Go on with these words on top of what is stored now. */
    rebase: () => edit({ basedOn: post.content_hash }),
    discard: () => change(null),
  };
}

function isSame(a: Draft, b: Draft): boolean {
  return (
    a.platforms.join() === b.platforms.join() &&
    PLATFORMS.every((platform) => isSameVariant(a.variants[platform], b.variants[platform]))
  );
}

function isSameVariant(a: Variant | undefined, b: Variant | undefined): boolean {
  if (!a || !b) return a === b;
  const threads = a.thread.length === b.thread.length && a.thread.every((text, place) => text === b.thread[place]);
  return threads && a.text === b.text && a.first_comment === b.first_comment;
}
