/**
 * Whether a platform takes a draft: the server's check, with the same answers to the same vectors. The server looks
 * again before anything goes out; this one is for whoever is writing. The numbers: `limits.ts`.
 */
import { rulesOf, textRules, type MediaRule, type PostRule, type TextRule, type Unit } from "./limits";
import { cashtags, escapeLittleText, hashtags, mentions } from "./marks";
import type { Platform } from "./platforms";
import { findUrls, hasInvalidCharacter, weightedLength } from "./x-length";

/** A file as the request's checks found it; what nobody could tell is null. */
export type Media = {
  path: string;
  alt: string | null;
  content_type: string | null;
  size_bytes: number | null;
  width: number | null;
  height: number | null;
  duration_seconds: number | null;
};

/** What is published on one platform: the first post, those that follow it, and a first comment. */
export type Variant = { text: string; thread: string[]; first_comment: string | null };

export type Fault = { field: string; limit: number | string; value: number | string; message: string };

const FORBIDDEN =
  /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
// Space as the server sees it, to which a byte order mark does not belong.
const BLANK = /^[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*$/;

/** What kind of post these files make there; a kind without a row (`mixed`) cannot be published. */
export function formatOf(platform: Platform, media: readonly Media[]): string {
  const videos = media.filter(isVideo).length;
  const [first] = media;
  if (platform === "instagram" && media.length > 1) return "carousel";
  if (media.length === 1 && first) {
    if (videos) return platform === "instagram" ? "reel" : "video";
    return platform === "x" && first.content_type === "image/gif" ? "animated_gif" : "image";
  }
  if (videos) return "mixed";
  return media.length ? "multi_image" : "text";
}

/** Everything that the platform would refuse, none if nothing. Without media, those of the text alone are meant. */
export function checkPost(platform: Platform, variant: Variant, media: readonly Media[]): Fault[] {
  const format = formatOf(platform, media);
  const rule = rulesOf(platform).find((row) => row.format === format);
  if (!rule) {
    const formats = rulesOf(platform).map((row) => row.format);
    return [notAmong(`${platform}.format`, format, formats), ...checkTexts(textRules(platform), variant)];
  }
  return [...checkTexts(rule, variant), ...checkFiles(rule, media)];
}

/** The faults of one text: how long it may be, and how many marks it may hold. */
export function checkText(field: string, text: string, rule: TextRule): Fault[] {
  const faults = [
    ...within(field, textLength(text, rule.unit), rule.min, rule.max, rule.unit),
    ...within(`${field}.hashtags`, hashtags(text).length, null, rule.hashtags),
    ...within(`${field}.mentions`, mentions(text).length, null, rule.mentions),
    ...within(`${field}.cashtags`, cashtags(text).length, null, rule.cashtags),
    ...(rule.links === null ? [] : within(`${field}.links`, findUrls(text).length, null, rule.links)),
  ];
  if (FORBIDDEN.test(text) || (rule.unit === "weighted" && hasInvalidCharacter(text))) {
    faults.push({
      field,
      limit: "no control characters",
      value: "some",
      message: `${field}: holds a control character`,
    });
  }
  return faults;
}

/** In the unit of its limit: as it stands, with LinkedIn's escapes, or as X weighs it. Blank text has none. */
export function textLength(text: string, unit: Unit): number {
  if (BLANK.test(text)) return 0;
  if (unit === "weighted") return weightedLength(text);
  return (unit === "escaped" ? escapeLittleText(text) : text).length;
}

function checkTexts(rule: PostRule, variant: Variant): Fault[] {
  const thread = rule.thread_max ? variant.thread : [];
  return [
    ...checkText(`${rule.platform}.text`, variant.text, rule.text),
    ...within(`${rule.platform}.thread`, variant.thread.length, null, rule.thread_max, "posts after the first"),
    ...thread.flatMap((part, i) => checkText(`${rule.platform}.thread[${i}]`, part, rule.text)),
    ...(variant.first_comment === null
      ? []
      : checkText(`${rule.platform}.first_comment`, variant.first_comment, rule.comment)),
  ];
}

function checkFiles(rule: PostRule, media: readonly Media[]): Fault[] {
  const faults = within(`${rule.platform}.media`, media.length, rule.media_min, rule.media_max, "files");
  media.forEach((file, i) => {
    const field = `${rule.platform}.media[${i}]`;
    const limits = isVideo(file) ? rule.video : rule.image;
    if (limits) faults.push(...checkFile(field, file, limits));
    faults.push(
      ...within(`${field}.alt_text`, textLength(file.alt ?? "", "characters"), null, rule.alt_text_max, "characters"),
    );
  });
  return faults;
}

function checkFile(field: string, file: Media, rule: MediaRule): Fault[] {
  const faults: Fault[] = [];
  // A file that nobody has looked at yet is left to the server, which does before anything is charged.
  if (file.content_type === null || file.size_bytes === null) return faults;
  if (!rule.types.includes(file.content_type)) {
    faults.push(notAmong(`${field}.content_type`, file.content_type, [...rule.types].sort()));
  }
  faults.push(...within(`${field}.size_bytes`, file.size_bytes, 1, rule.max_bytes, "bytes"));
  if (file.width && file.height) {
    const ratio = file.width / file.height;
    faults.push(
      ...within(`${field}.ratio`, ratio, rule.min_ratio, rule.max_ratio, "width / height", sixDigits),
      ...within(`${field}.width`, file.width, rule.min_side, rule.max_width, "pixels"),
      ...within(`${field}.height`, file.height, rule.min_side, null, "pixels"),
      ...within(`${field}.pixels`, file.width * file.height, null, rule.max_pixels),
    );
  } else if (!isVideo(file) && limitsPixels(rule)) {
    const message = `${field}.width: unknown, and the platform limits it`;
    faults.push({ field: `${field}.width`, limit: "known", value: "unknown", message });
  }
  if (isVideo(file) && file.duration_seconds !== null) {
    const { min_seconds: least, max_seconds: most } = rule;
    faults.push(...within(`${field}.duration_seconds`, file.duration_seconds, least, most, "seconds", sixDigits));
  }
  return faults;
}

function isVideo(file: Media): boolean {
  return file.content_type?.startsWith("video/") ?? false;
}

function limitsPixels(rule: MediaRule): boolean {
  return [rule.min_ratio, rule.max_ratio, rule.min_side, rule.max_width, rule.max_pixels].some(Boolean);
}

function within(
  field: string,
  value: number,
  least: number | null,
  most: number | null,
  unit = "",
  shown: (value: number) => string = String,
): Fault[] {
  const end = unit ? ` (${unit})` : "";
  const told = (limit: number, bound: string) => [
    { field, limit, value, message: `${field}: ${shown(value)} of ${bound} ${shown(limit)}${end}` },
  ];
  if (least !== null && value < least) return told(least, "at least");
  if (most !== null && value > most) return told(most, "at most");
  return [];
}

/** A ratio just beyond its limit must not look like the limit, and a third must not fill the line. */
function sixDigits(value: number): string {
  return String(Number(value.toPrecision(6)));
}

function notAmong(field: string, value: string, allowed: string[]): Fault {
  const limit = allowed.join(", ");
  return { field, limit, value, message: `${field}: ${value} is not among ${limit}` };
}
