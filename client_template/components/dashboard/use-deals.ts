"use client";

/** The deals of the pipeline, and moving one: shown at once, taken back if the database did not take it. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { toast } from "@/components/ui/toast";
import { DataError, dataAs, dataOf, explain } from "@/lib/data-error";
import { moveColumns, moved, STAGE_NAMES, type Deal, type Move } from "@/lib/deals";
import { browserClient } from "@/lib/supabase/client";

const KEY = ["deals"];
const COLUMNS =
  "id, title, value_cents, currency, stage, probability, expected_close_on, closed_at, lost_reason, lead_id, " +
  "contact:contacts(name, company)";
/** What was won or lost longer ago is history, not pipeline. */
const CLOSED_SHOWN_MS = 90 * 86_400_000;
const MOST = 500;

export function useDeals() {
  return useQuery({
    queryKey: KEY,
    queryFn: async () => {
      const since = new Date(Date.now() - CLOSED_SHOWN_MS).toISOString();
      return dataAs<Deal[]>(
        await browserClient()
          .from("deals")
          .select(COLUMNS)
          .or(`closed_at.is.null,closed_at.gte.${since}`)
          .order("updated_at", { ascending: false })
          .limit(MOST),
      );
    },
  });
}

export function useMoveDeal() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: async (move: Move) => {
      const rows = dataOf<{ id: string }[]>(
        await browserClient()
          .from("deals")
          .update(moveColumns(move.to, new Date()))
          .eq("id", move.id)
          // Only from where this person saw it: whoever moved it meanwhile is not overruled by accident.
          .eq("stage", move.from)
          .select("id"),
      );
      if (rows.length === 0) {
        throw new DataError("moved", 409, "Somebody else has moved or removed it meanwhile, or your role does not allow it.");
      }
    },
    onMutate: async (move) => {
      await cache.cancelQueries({ queryKey: KEY });
      const before = cache.getQueryData<readonly Deal[]>(KEY)?.find((deal) => deal.id === move.id);
      cache.setQueryData<readonly Deal[]>(KEY, (deals) => deals && moved(deals, move, new Date()));
      return before;
    },
    onError: (error, move, before) => {
      // This deal as it was, and nothing else: other moves may be under way.
      cache.setQueryData<readonly Deal[]>(KEY, (deals) => deals?.map((deal) => (before?.id === deal.id ? before : deal)));
      toast.error(`The deal stays in ${STAGE_NAMES[move.from]}`, { description: explain(error) });
    },
    onSettled: () => cache.invalidateQueries({ queryKey: KEY }),
  });
}
