"use client";

/** How far the client has come with setting up. Each tick is stored as it is made. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { Card, CardContent, CardDescription, CardHeader, CardTitle } from "@/components/ui/card";
import { EmptyState } from "@/components/ui/empty-state";
import { ErrorState } from "@/components/ui/error-state";
import { Progress } from "@/components/ui/progress";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { DataError, dataOf, explain } from "@/lib/data-error";
import { browserClient } from "@/lib/supabase/client";
import { formatDay } from "@/lib/utils/dates";

const KEY = ["onboarding"];

type Step = {
  id: string;
  completed: boolean;
  completed_at: string | null;
  step: { title: string; description: string; position: number };
};

export function OnboardingChecklist({ canEdit }: { canEdit: boolean }) {
  const cache = useQueryClient();
  const query = useQuery({
    queryKey: KEY,
    queryFn: async () => {
      const rows = dataOf<Step[]>(
        await browserClient()
          .from("onboarding_checklist")
          .select("id, completed, completed_at, step:onboarding_steps(title, description, position)"),
      );
      return rows.sort((a, b) => a.step.position - b.step.position);
    },
  });
  const tick = useMutation({
    mutationFn: async ({ id, completed }: { id: string; completed: boolean }) => {
      const rows = dataOf<unknown[]>(
        await browserClient().from("onboarding_checklist").update({ completed }).eq("id", id).select("id"),
      );
      if (rows.length === 0) throw new DataError("refused", 403, "Your role does not allow this.");
    },
    onMutate: async ({ id, completed }) => {
      await cache.cancelQueries({ queryKey: KEY });
      const before = cache.getQueryData<Step[]>(KEY);
      cache.setQueryData<Step[]>(KEY, (steps) => steps?.map((step) => (step.id === id ? { ...step, completed } : step)));
      return before;
    },
    onError: (error, _, before) => {
      cache.setQueryData(KEY, before);
      toast.error("The step stays as it was", { description: explain(error) });
    },
    onSettled: () => cache.invalidateQueries({ queryKey: KEY }),
  });

  if (query.isPending) {
    return (
      <div role="status" aria-label="Loading the checklist">
        <Skeleton className="h-72" />
      </div>
    );
  }
  if (query.isError) {
    return (
      <ErrorState title="The checklist could not be loaded" detail={explain(query.error)} retry={() => void query.refetch()} />
    );
  }
  const steps = query.data;
  if (steps.length === 0) return <EmptyState title="There is nothing to set up">All is ready.</EmptyState>;
  const done = steps.filter((step) => step.completed).length;
  return (
    <Card>
      <CardHeader>
        <CardTitle>Setting up</CardTitle>
        <CardDescription>
          {done} of {steps.length} steps are done.
        </CardDescription>
        <Progress value={(100 * done) / steps.length} aria-label="Steps that are done" />
      </CardHeader>
      <CardContent>
        <ul className="flex flex-col gap-1">
          {steps.map((step) => (
            <li key={step.id}>
              <label className="flex cursor-pointer items-start gap-3 rounded-lg p-2 text-sm hover:bg-surface-muted">
                <input
                  type="checkbox"
                  className="mt-0.5 size-5 shrink-0 accent-brand"
                  checked={step.completed}
                  disabled={!canEdit}
                  onChange={(event) => tick.mutate({ id: step.id, completed: event.target.checked })}
                />
                <span className="min-w-0">
                  <span className="font-medium">{step.step.title}</span>
                  <span className="block text-text-muted">
                    {step.step.description}
                    {step.completed && step.completed_at ? ` Done on ${formatDay(step.completed_at)}.` : ""}
                  </span>
                </span>
              </label>
            </li>
          ))}
        </ul>
      </CardContent>
    </Card>
  );
}
