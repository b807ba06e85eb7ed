"use client";

/**
 * The board of deals: drag a card to another stage by mouse, finger or keyboard, or choose the stage in the card's list.
 * Not here: what a move writes (lib/deals.ts), storing it (use-deals.ts), a card (deal-card.tsx).
 */
import {
  closestCenter,
  DndContext,
  DragOverlay,
  KeyboardSensor,
  MouseSensor,
  pointerWithin,
  TouchSensor,
  useDroppable,
  useSensor,
  useSensors,
  type Announcements,
  type CollisionDetection,
  type DragEndEvent,
} from "@dnd-kit/core";
import { Handshake } from "lucide-react";
import { useId, useState } from "react";

import { DealCard, DealFace } from "@/components/dashboard/deal-card";
import { useDeals, useMoveDeal } from "@/components/dashboard/use-deals";
import { EmptyState } from "@/components/ui/empty-state";
import { ErrorState } from "@/components/ui/error-state";
import { Skeleton } from "@/components/ui/skeleton";
import { config } from "@/lib/config";
import { explain } from "@/lib/data-error";
import { byStage, isStage, STAGE_NAMES, STAGES, type Deal, type Stage } from "@/lib/deals";
import { formatMoney, sumByCurrency } from "@/lib/money";
import { stageBeside } from "@/lib/pipeline-keys";
import { cn } from "@/lib/utils/classes";

/** Where the pointer is; by keyboard there is none, and the nearest stage counts. */
const stageUnder: CollisionDetection = (args) => (args.pointerCoordinates ? pointerWithin(args) : closestCenter(args));

export function PipelineBoard({ canEdit }: { canEdit: boolean }) {
  const query = useDeals();
  if (query.isPending) {
    return (
      <div role="status" aria-label="Loading the deals" className="flex gap-4 overflow-hidden">
        {STAGES.map((stage) => (
          <Skeleton key={stage} className="h-72 w-64 shrink-0" />
        ))}
      </div>
    );
  }
  if (query.isError) {
    return (
      <ErrorState title="The deals could not be loaded" detail={explain(query.error)} retry={() => void query.refetch()} />
    );
  }
  if (query.data.length === 0) {
    return (
      <EmptyState title="No deals yet" icon={Handshake}>
        Open a lead and make a deal of it; it then stands here in its stage.
      </EmptyState>
    );
  }
  return <Board deals={query.data} canEdit={canEdit} />;
}

function Board({ deals, canEdit }: { deals: readonly Deal[]; canEdit: boolean }) {
  const move = useMoveDeal();
  const [dragged, setDragged] = useState<string | null>(null);
  const id = useId();
  const sensors = useSensors(
    useSensor(MouseSensor, { activationConstraint: { distance: 6 } }),
    useSensor(TouchSensor, { activationConstraint: { delay: 200, tolerance: 8 } }),
    useSensor(KeyboardSensor, { coordinateGetter: stageBeside }),
  );
  const stages = byStage(deals);
  const inHand = deals.find((deal) => deal.id === dragged);

  function moveTo(deal: Deal, to: Stage) {
    if (to !== deal.stage) move.mutate({ id: deal.id, from: deal.stage, to });
  }

  function drop({ active, over }: DragEndEvent) {
    setDragged(null);
    const deal = deals.find((one) => one.id === active.id);
    if (deal && isStage(over?.id)) moveTo(deal, over.id);
  }

  return (
    <DndContext
      id={id}
      sensors={sensors}
      collisionDetection={stageUnder}
      accessibility={{ announcements: announcements(deals), screenReaderInstructions: INSTRUCTIONS }}
      onDragStart={({ active }) => setDragged(String(active.id))}
      onDragCancel={() => setDragged(null)}
      onDragEnd={drop}
    >
      <div className="flex snap-x gap-4 overflow-x-auto pb-3" role="group" aria-label="Stages of the pipeline">
        {STAGES.map((stage) => (
          <Column key={stage} stage={stage} deals={stages[stage]}>
            {stages[stage].map((deal) => (
              <li key={deal.id}>
                <DealCard deal={deal} canEdit={canEdit} onMove={(to) => moveTo(deal, to)} />
              </li>
            ))}
          </Column>
        ))}
      </div>
      <DragOverlay>{inHand ? <DealFace deal={inHand} className="shadow-lg" /> : null}</DragOverlay>
    </DndContext>
  );
}

function Column({ stage, deals, children }: { stage: Stage; deals: readonly Deal[]; children: React.ReactNode }) {
  const { setNodeRef, isOver } = useDroppable({ id: stage });
  const heading = useId();
  const sums = sumByCurrency(deals.map((deal) => ({ cents: deal.value_cents, currency: deal.currency })));
  return (
    <section
      ref={setNodeRef}
      aria-labelledby={heading}
      data-stage={stage}
      className={cn(
        "flex w-64 shrink-0 snap-start flex-col gap-3 rounded-xl border border-line bg-surface-muted p-3 lg:w-auto lg:min-w-48 lg:flex-1",
        isOver && "border-brand ring-2 ring-brand",
      )}
    >
      <h2 id={heading} className="flex items-baseline justify-between gap-2 text-sm font-semibold">
        {STAGE_NAMES[stage]}
        <span className="font-normal text-text-muted">{deals.length === 1 ? "1 deal" : `${deals.length} deals`}</span>
      </h2>
      <p className="text-xs text-text-muted tabular-nums">
        {sums.map(({ cents, currency }) => formatMoney(cents, currency, config.locale, { whole: true })).join(" + ") || "–"}
      </p>
      <ul className="flex min-h-16 flex-1 flex-col gap-2">{children}</ul>
    </section>
  );
}

const INSTRUCTIONS = {
  draggable:
    "To pick up a deal, press space or enter. Left and right arrow keys move it to the stage beside. Press space or " +
    "enter again to drop it, or escape to leave it where it was.",
};

function announcements(deals: readonly Deal[]): Announcements {
  const title = (id: string | number) => deals.find((deal) => deal.id === id)?.title ?? "The deal";
  const stage = (id: string | number | undefined) => (isStage(id) ? STAGE_NAMES[id] : null);
  return {
    onDragStart: ({ active }) => `Picked up ${title(active.id)}.`,
    onDragOver: ({ active, over }) => (stage(over?.id) ? `${title(active.id)} is over ${stage(over?.id)}.` : undefined),
    onDragEnd: ({ active, over }) =>
      stage(over?.id) ? `${title(active.id)} was dropped in ${stage(over?.id)}.` : `${title(active.id)} stays where it was.`,
    onDragCancel: ({ active }) => `${title(active.id)} stays where it was.`,
  };
}
