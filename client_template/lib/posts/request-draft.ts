/** A request for content as somebody fills it in: shape, faults, what is sent. The webhook checks it again. */
import { z } from "zod";

import { config } from "@/lib/config";
import type { ContentOrder } from "./calls";
import { PLATFORMS } from "./platforms";
import { publishTime } from "./wall-time";

export const BRIEF_MIN = 3;
export const BRIEF_MAX = 4000;
export const MEDIA_MAX = 20;
export const ALT_MAX = 4086;

const shape = z.object({
  /** The last order that was sent from this draft, as text, and the id that it was sent under. */
  sent: z.object({ order: z.string(), deliveryId: z.string() }).nullable(),
  brief: z.string(),
  platforms: z.array(z.enum(PLATFORMS)),
  template: z.string(),
  media: z.array(z.object({ path: z.string(), alt: z.string() })),
  schedule: z.enum(["next_free_slot", "as_soon_as_approved", "publish_at"]),
  publishAt: z.string(),
});
export type RequestDraft = z.infer<typeof shape>;
export type ScheduleKind = RequestDraft["schedule"];

const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/;

export const EMPTY_REQUEST: RequestDraft = {
  sent: null,
  brief: "",
  platforms: [],
  template: "",
  media: [],
  schedule: "next_free_slot",
  publishAt: "",
};

export function readRequestDraft(kept: unknown): RequestDraft | null {
  return shape.safeParse(kept).data ?? null;
}

/** What is wrong, by field as the webhook names them: brief, media[0], publish_at. */
export function checkRequest(draft: RequestDraft, now: number): Record<string, string> {
  const faults: Record<string, string> = {};
  const brief = draft.brief.normalize("NFC").trim();
  const characters = [...brief].length;
  if (characters < BRIEF_MIN) faults.brief = `Write at least ${BRIEF_MIN} characters.`;
  else if (characters > BRIEF_MAX) faults.brief = `Write at most ${BRIEF_MAX} characters; it has ${characters}.`;
  else if (CONTROL.test(brief)) faults.brief = "It holds a control character; type that part again.";
  draft.media.forEach(({ path, alt }, place) => {
    const fault =
      pathFault(path.trim()) ?? ([...alt].length > ALT_MAX ? `Describe it in at most ${ALT_MAX} characters.` : null);
    if (fault) faults[`media[${place}]`] = fault;
  });
  const paths = draft.media.map(({ path }) => path.trim());
  if (new Set(paths).size < paths.length) faults.media = "A file is named twice.";
  if (draft.media.length > MEDIA_MAX) faults.media = `Name at most ${MEDIA_MAX} files.`;
  if (draft.schedule === "publish_at") {
    const answer = publishTime(draft.publishAt, config.timezone, now);
    if (!answer.ok) faults.publish_at = `This time ${answer.reason}.`;
  }
  return faults;
}

/** What is sent, without its delivery id. */
export function toOrder(draft: RequestDraft): Omit<ContentOrder, "delivery_id"> {
  return {
    brief: draft.brief.trim(),
    platforms: draft.platforms,
    ...(draft.template && { template: draft.template }),
    media: draft.media.map(({ path, alt }) => ({ path: path.trim(), ...(alt.trim() && { alt: alt.trim() }) })),
    ...(draft.schedule === "publish_at" ? { publish_at: draft.publishAt } : { [draft.schedule]: true }),
  };
}

/** The same order has the same delivery id, so that a lost answer doubles nothing; a changed one is a new request. */
export function sending(draft: RequestDraft): { order: ContentOrder; draft: RequestDraft } {
  const order = toOrder(draft);
  const text = JSON.stringify(order);
  const deliveryId = draft.sent?.order === text ? draft.sent.deliveryId : crypto.randomUUID();
  return { order: { ...order, delivery_id: deliveryId }, draft: { ...draft, sent: { order: text, deliveryId } } };
}

function pathFault(path: string): string | null {
  if (!path) return "Give the file's path, or remove the line.";
  const isOutside = path.includes("://") || path.startsWith("/") || path.includes("\\");
  if (isOutside || path.split("/").some((part) => ["", ".", ".."].includes(part)) || path.length > 500) {
    return "Give a path in the media storage, such as 2026/pie.jpg; addresses are not fetched.";
  }
  return null;
}
