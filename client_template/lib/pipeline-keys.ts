/** Moving a deal by keyboard: left and right go to the stage beside, as sighted and unsighted people expect of a board. */
import type { KeyboardCoordinateGetter } from "@dnd-kit/core";

import { isStage, STAGES } from "@/lib/deals";

export const stageBeside: KeyboardCoordinateGetter = (event, { context }) => {
  const step = event.code === "ArrowRight" ? 1 : event.code === "ArrowLeft" ? -1 : 0;
  if (step === 0) return undefined;
  event.preventDefault();
  const here = context.over?.id ?? context.active?.data.current?.stage;
  if (!isStage(here)) return undefined;
  const next = STAGES[STAGES.indexOf(here) + step];
  const rect = next ? context.droppableRects.get(next) : undefined;
  return rect ? { x: rect.left, y: rect.top } : undefined;
};
