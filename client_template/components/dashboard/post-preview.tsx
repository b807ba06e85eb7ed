"use client";

/**
 * A post as its network would show it: who, when, the words with what the network colours, files, thread, comment.
 * Text is only ever text here. The files are not loaded: they lie where the browser has no key, so a box says what
 * there is. Import it lazily or from a route of its own: X's rules for addresses are large.
 */
import {
  Globe,
  Heart,
  Image as ImageIcon,
  MessageCircle,
  Repeat2,
  Send,
  Share2,
  ThumbsUp,
  Video,
  type LucideIcon,
} from "lucide-react";
import { useState } from "react";

import { PlatformMark } from "@/components/dashboard/platform-mark";
import { config } from "@/lib/config";
import { pieces } from "@/lib/posts/pieces";
import { PLATFORM_NAMES, type Platform } from "@/lib/posts/platforms";
import type { Media, Variant } from "@/lib/posts/rules";
import { cn } from "@/lib/utils/classes";

/** After how many characters each network folds a text away, about; X shows all. */
const FOLDED_AFTER: Record<Platform, number> = { facebook: 477, instagram: 125, linkedin: 210, x: Infinity };
const ACTIONS: Record<Platform, LucideIcon[]> = {
  facebook: [ThumbsUp, MessageCircle, Share2],
  instagram: [Heart, MessageCircle, Send],
  linkedin: [ThumbsUp, MessageCircle, Repeat2, Send],
  x: [MessageCircle, Repeat2, Heart, Share2],
};

interface PostPreviewProps {
  platform: Platform;
  variant: Variant;
  media: readonly Media[];
  /** The account's name there; the organization's own without it. */
  account?: string;
  /** When it goes out, in words. */
  moment?: string;
  /** All of the words, also where the network folds them: who approves has read them. */
  isWhole?: boolean;
}

export function PostPreview({
  platform,
  variant,
  media,
  account = config.name,
  moment,
  isWhole = false,
}: PostPreviewProps) {
  const name = PLATFORM_NAMES[platform];
  const isPictureFirst = platform === "instagram";
  const words = (
    <Words
      text={variant.text}
      foldedAfter={isWhole ? Infinity : FOLDED_AFTER[platform]}
      lead={isPictureFirst ? account : undefined}
    />
  );
  const files = <Files media={media} isSquare={isPictureFirst} isRounded={platform === "x"} />;
  return (
    <figure className="w-full max-w-md" aria-label={`Preview for ${name}`}>
      <div
        className={cn(
          "overflow-hidden border border-line bg-surface text-text",
          platform === "x" ? "rounded-2xl" : "rounded-lg",
        )}
      >
        <Head platform={platform} account={account} moment={moment} />
        {isPictureFirst ? files : <div className="px-4 pb-3">{words}</div>}
        {isPictureFirst ? null : <div className={platform === "x" ? "px-4" : undefined}>{files}</div>}
        <div className="flex items-center gap-6 px-4 py-3 text-text-muted" aria-hidden>
          {ACTIONS[platform].map((Icon, place) => (
            <Icon key={place} className="size-4.5" />
          ))}
        </div>
        {isPictureFirst ? <div className="px-4 pb-4">{words}</div> : null}
        {variant.thread.map((text, place) => (
          <div key={place} className="border-t border-line px-4 py-3">
            <p className="mb-1 text-xs text-text-muted">
              {account} · {place + 2} of {variant.thread.length + 1}
            </p>
            <Words text={text} foldedAfter={Infinity} />
          </div>
        ))}
        {variant.first_comment ? (
          <div className="border-t border-line bg-surface-muted px-4 py-3">
            <p className="mb-1 text-xs text-text-muted">{account} · first comment</p>
            <Words text={variant.first_comment} foldedAfter={Infinity} />
          </div>
        ) : null}
      </div>
      <figcaption className="sr-only">How the post will look on {name}, about.</figcaption>
    </figure>
  );
}

function Head({ platform, account, moment }: { platform: Platform; account: string; moment?: string }) {
  const round = platform === "linkedin" ? "rounded-md" : "rounded-full";
  return (
    <div className="flex items-center gap-3 px-4 py-3">
      <span
        aria-hidden
        className={cn(
          "flex size-10 shrink-0 items-center justify-center bg-brand text-base font-semibold text-brand-contrast",
          round,
        )}
      >
        {[...account][0]?.toUpperCase()}
      </span>
      <div className="min-w-0 flex-1">
        <p className="truncate text-sm font-semibold">{account}</p>
        <p className="flex items-center gap-1 text-xs text-text-muted">
          <span className="truncate">{moment ?? "No time yet"}</span>
          {platform === "facebook" || platform === "linkedin" ? (
            <Globe className="size-3 shrink-0" aria-hidden />
          ) : null}
        </p>
      </div>
      <PlatformMark platform={platform} />
    </div>
  );
}

function Words({ text, foldedAfter, lead }: { text: string; foldedAfter: number; lead?: string }) {
  const [isOpen, setIsOpen] = useState(false);
  const characters = [...text];
  const isFolded = !isOpen && characters.length > foldedAfter;
  const shown = isFolded ? characters.slice(0, foldedAfter).join("").trimEnd() : text;
  if (!text.trim()) return <p className="text-sm text-text-muted italic">No words yet</p>;
  return (
    <p className="text-sm leading-5.5 break-words whitespace-pre-wrap">
      {lead ? <span className="font-semibold">{lead} </span> : null}
      {pieces(shown).map((piece, place) =>
        piece.marked ? (
          <span key={place} className="text-focus">
            {piece.text}
          </span>
        ) : (
          piece.text
        ),
      )}
      {isFolded ? (
        <>
          …{" "}
          <button
            type="button"
            className="cursor-pointer text-text-muted underline-offset-2 hover:underline"
            onClick={() => setIsOpen(true)}
          >
            more
          </button>
        </>
      ) : null}
    </p>
  );
}

function Files({ media, isSquare, isRounded }: { media: readonly Media[]; isSquare: boolean; isRounded: boolean }) {
  if (!media.length) return null;
  return (
    <ul
      className={cn(
        "grid gap-0.5 overflow-hidden",
        isRounded && "rounded-xl",
        media.length > 1 ? "grid-cols-2" : "grid-cols-1",
      )}
      aria-label="Files"
    >
      {media.map((file) => (
        <li
          key={file.path}
          className={cn(
            "flex flex-col items-center justify-center gap-1 bg-surface-muted p-4 text-center text-xs text-text-muted",
            isSquare ? "aspect-square" : "aspect-video",
          )}
        >
          {file.content_type?.startsWith("video/") ? (
            <Video className="size-6" aria-hidden />
          ) : (
            <ImageIcon className="size-6" aria-hidden />
          )}
          <span className="max-w-full truncate font-medium">{file.path}</span>
          <span className="line-clamp-3">{file.alt ?? "Without a description"}</span>
        </li>
      ))}
    </ul>
  );
}
