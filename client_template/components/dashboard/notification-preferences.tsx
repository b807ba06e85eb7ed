"use client";

/** Which news reach the signed-in person on which channel. Each choice is stored as it is made. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { Choice } from "@/components/dashboard/choice";
import { Card, CardContent, CardDescription, CardHeader, CardTitle } from "@/components/ui/card";
import { ErrorState } from "@/components/ui/error-state";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { dataOf, explain } from "@/lib/data-error";
import {
  CHANNEL_NAMES,
  CHANNELS,
  choices,
  EVENT_GROUPS,
  MODE_NAMES,
  modeOf,
  withPreference,
  type Mode,
  type NewsEvent,
  type Preference,
} from "@/lib/notifications/preferences";
import { browserClient } from "@/lib/supabase/client";

const KEY = ["notification-preferences"];

/** Of a row that exists only its mode may be written, so that an upsert, which writes all columns, is refused. */
async function store(userId: string, { event, channel, mode }: Preference): Promise<void> {
  const table = () => browserClient().from("notification_preferences");
  const update = async () =>
    dataOf<unknown[]>(
      await table().update({ mode }).eq("user_id", userId).eq("event", event).eq("channel", channel).select("event"),
    );
  if ((await update()).length > 0) return;
  const answer = await table().insert({ user_id: userId, event, channel, mode });
  // Another tab made the row meanwhile.
  if (answer.error?.code === "23505") await update();
  else dataOf(answer);
}

export function NotificationPreferences({ userId }: { userId: string }) {
  const cache = useQueryClient();
  const query = useQuery({
    queryKey: KEY,
    queryFn: async () =>
      dataOf<Preference[]>(
        await browserClient().from("notification_preferences").select("event, channel, mode").eq("user_id", userId),
      ),
  });
  const change = useMutation({
    mutationFn: (chosen: Preference) => store(userId, chosen),
    onMutate: async (chosen) => {
      await cache.cancelQueries({ queryKey: KEY });
      const before = cache.getQueryData<Preference[]>(KEY);
      cache.setQueryData<Preference[]>(KEY, (rows) => withPreference(rows ?? [], chosen));
      return before;
    },
    onError: (error, _, before) => {
      cache.setQueryData(KEY, before);
      toast.error("The choice is not stored", { description: explain(error) });
    },
    onSettled: () => cache.invalidateQueries({ queryKey: KEY }),
  });

  if (query.isPending) {
    return (
      <div role="status" aria-label="Loading your choices">
        <Skeleton className="h-96" />
      </div>
    );
  }
  if (query.isError) {
    return (
      <ErrorState title="Your choices could not be loaded" detail={explain(query.error)} retry={() => void query.refetch()} />
    );
  }
  return (
    <>
      {EVENT_GROUPS.map(({ group, events }) => (
        <Card key={group}>
          <CardHeader>
            <CardTitle>{group}</CardTitle>
            {events.some((event) => !event.can_unsubscribe) ? (
              <CardDescription>Mails marked &ldquo;always&rdquo; tell what you must know, whatever you choose.</CardDescription>
            ) : null}
          </CardHeader>
          <CardContent>
            <ul className="flex flex-col divide-y divide-line">
              {events.map((event) => (
                <EventRow key={event.name} event={event} preferences={query.data} onChoose={(chosen) => change.mutate(chosen)} />
              ))}
            </ul>
          </CardContent>
        </Card>
      ))}
    </>
  );
}

type RowProps = { event: NewsEvent; preferences: readonly Preference[]; onChoose: (chosen: Preference) => void };

function EventRow({ event, preferences, onChoose }: RowProps) {
  return (
    <li className="grid grid-cols-1 items-center gap-3 py-3 sm:grid-cols-[minmax(0,1fr)_24rem]">
      <span className="text-sm font-medium">{event.title}</span>
      <div className="grid grid-cols-3 gap-2">
        {CHANNELS.map((channel) => {
          const open = choices(event, channel);
          return (
            <div key={channel} className="flex min-w-0 flex-col gap-1 text-xs text-text-muted">
              <span aria-hidden>{CHANNEL_NAMES[channel]}</span>
              {open.length > 1 ? (
                <Choice
                  aria-label={`${event.title}, ${CHANNEL_NAMES[channel]}`}
                  className="h-9 px-2 pr-6 text-sm"
                  options={open.map((mode) => ({ value: mode, label: MODE_NAMES[mode] }))}
                  value={modeOf(event, channel, preferences)}
                  onChange={(change) => onChoose({ event: event.name, channel, mode: change.target.value as Mode })}
                />
              ) : (
                <span className="flex h-9 items-center text-sm">
                  <span className="sr-only">{CHANNEL_NAMES[channel]}: </span>
                  {open.length ? "Always" : "–"}
                </span>
              )}
            </div>
          );
        })}
      </div>
    </li>
  );
}
