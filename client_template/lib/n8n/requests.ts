/** What this app asks DraggonnB for, in the shapes that the webhooks take. They look again: length counts code points, as there. */
import { z } from "zod";

export const PLATFORM_IDS = ["facebook", "instagram", "linkedin", "x"] as const;

/** When a post is to appear: at a wall time of the organization, in the next free slot, or as soon as it is agreed to. */
export const contentRequest = z
  .strictObject({
    brief: z
      .string()
      .trim()
      .refine((brief) => [...brief].length >= 3, "Say in at least 3 characters what to post.")
      .refine((brief) => [...brief].length <= 4000, "Shorten it to 4000 characters."),
    platforms: z.array(z.enum(PLATFORM_IDS)).max(PLATFORM_IDS.length).optional(),
    /** The name of a content template. */
    template: z.string().trim().min(1).max(120).nullish(),
    media: z
      .array(z.strictObject({ path: z.string().min(1).max(500), alt: z.string().max(4086).nullish() }))
      .max(20)
      .optional(),
    /** Wall time in the organization's zone, such as 2026-12-01T09:30. */
    publish_at: z.string().max(40).nullish(),
    next_free_slot: z.boolean().optional(),
    as_soon_as_approved: z.boolean().optional(),
    /** Made once for each request that a person means: sent again, it is recognised and not done twice. */
    delivery_id: z.uuid(),
  })
  .refine(
    ({ publish_at, next_free_slot, as_soon_as_approved }) =>
      [publish_at, next_free_slot, as_soon_as_approved].filter(Boolean).length <= 1,
    { path: ["publish_at"], message: "Choose one time: a moment, the next free slot, or as soon as it is approved." },
  );
