"use client";

/** One deal on the board: a handle to drag it by, and a list to move it without dragging. */
import { useDraggable } from "@dnd-kit/core";
import { GripVertical } from "lucide-react";
import Link from "next/link";

import { Choice } from "@/components/dashboard/choice";
import { config } from "@/lib/config";
import { isStage, STAGE_NAMES, STAGES, type Deal, type Stage } from "@/lib/deals";
import { formatMoney } from "@/lib/money";
import { cn } from "@/lib/utils/classes";
import { formatDay } from "@/lib/utils/dates";

const OPTIONS = STAGES.map((stage) => ({ value: stage, label: STAGE_NAMES[stage] }));

type Props = { deal: Deal; canEdit: boolean; onMove: (to: Stage) => void };

export function DealCard({ deal, canEdit, onMove }: Props) {
  const { setNodeRef, listeners, attributes, isDragging } = useDraggable({
    id: deal.id,
    data: { stage: deal.stage },
    disabled: !canEdit,
  });
  return (
    <DealFace
      deal={deal}
      className={isDragging ? "opacity-40" : undefined}
      handle={
        canEdit ? (
          <button
            type="button"
            ref={setNodeRef}
            {...listeners}
            {...attributes}
            aria-label={`Move ${deal.title}`}
            className="-mt-1 -mr-1 inline-flex size-8 shrink-0 cursor-grab touch-none items-center justify-center rounded-md text-text-muted hover:bg-surface-muted"
          >
            <GripVertical className="size-4" aria-hidden />
          </button>
        ) : null
      }
    >
      {canEdit ? (
        <Choice
          aria-label={`Stage of ${deal.title}`}
          className="h-8 text-xs sm:text-xs"
          options={OPTIONS}
          value={deal.stage}
          onChange={(event) => isStage(event.target.value) && onMove(event.target.value)}
        />
      ) : null}
    </DealFace>
  );
}

type FaceProps = { deal: Deal; handle?: React.ReactNode; className?: string; children?: React.ReactNode };

export function DealFace({ deal, handle, className, children }: FaceProps) {
  const who = [deal.contact?.name, deal.contact?.company].filter(Boolean).join(", ");
  return (
    <article className={cn("flex flex-col gap-2 rounded-lg border border-line bg-surface p-3 text-sm", className)}>
      <div className="flex items-start justify-between gap-2">
        <h3 className="min-w-0 font-medium break-words">
          {deal.lead_id ? (
            <Link href={`/leads/${deal.lead_id}`} className="hover:underline">
              {deal.title}
            </Link>
          ) : (
            deal.title
          )}
        </h3>
        {handle}
      </div>
      {who ? <p className="text-xs break-words text-text-muted">{who}</p> : null}
      <p className="text-xs text-text-muted tabular-nums">
        <span className="font-medium text-text">
          {formatMoney(deal.value_cents, deal.currency, config.locale, { whole: true })}
        </span>
        {deal.closed_at ? ` · closed ${formatDay(deal.closed_at)}` : ` · ${deal.probability} %`}
        {!deal.closed_at && deal.expected_close_on ? ` · expected ${formatDay(deal.expected_close_on)}` : ""}
      </p>
      {deal.stage === "lost" && deal.lost_reason ? <p className="text-xs break-words">{deal.lost_reason}</p> : null}
      {children}
    </article>
  );
}
