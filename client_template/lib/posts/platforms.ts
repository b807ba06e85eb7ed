/** The networks that posts go to; the ids are those of the table social_platforms. */

export const PLATFORMS = ["facebook", "instagram", "linkedin", "x"] as const;
export type Platform = (typeof PLATFORMS)[number];

export const PLATFORM_NAMES: Record<Platform, string> = {
  facebook: "Facebook",
  instagram: "Instagram",
  linkedin: "LinkedIn",
  x: "X",
};

export function isPlatform(id: string): id is Platform {
  return (PLATFORMS as readonly string[]).includes(id);
}

/** Names of platforms as a sentence has them; an id that is not known stays as it is. */
export function platformNames(ids: readonly string[]): string {
  return ids.map((id) => (isPlatform(id) ? PLATFORM_NAMES[id] : id)).join(", ");
}
