/**
 * What each platform takes, for every kind of post: `limits.json` is the server's own table, written out.
 * A limit that is null is none. How a draft is held against it: `rules.ts`.
 */
import table from "./limits.json";
import type { Platform } from "./platforms";

export type Unit = "characters" | "escaped" | "weighted";

export type TextRule = {
  min: number;
  max: number;
  unit: Unit;
  hashtags: number | null;
  mentions: number | null;
  cashtags: number | null;
  links: number | null;
};

/** Limits of one file: MIME types, bytes, width divided by height, pixels, seconds. */
export type MediaRule = {
  types: string[];
  max_bytes: number;
  min_ratio: number | null;
  max_ratio: number | null;
  min_side: number | null;
  max_width: number | null;
  max_pixels: number | null;
  min_seconds: number | null;
  max_seconds: number | null;
};

export type PostRule = {
  platform: Platform;
  format: string;
  text: TextRule;
  comment: TextRule;
  media_min: number;
  media_max: number;
  image: MediaRule | null;
  video: MediaRule | null;
  alt_text_max: number | null;
  thread_max: number;
};

export const RULES = table as PostRule[];

export function rulesOf(platform: Platform): PostRule[] {
  return RULES.filter((rule) => rule.platform === platform);
}

/** The limits of a platform's texts, which are the same in all its formats. */
export function textRules(platform: Platform): PostRule {
  const [rule] = rulesOf(platform);
  if (!rule) throw new Error(`no rules for ${platform}`);
  return rule;
}
