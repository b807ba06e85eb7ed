"use client";

/**
 * The month or week as FullCalendar draws it, with posts that can be dragged. Large, so it is loaded by itself. A post
 * is a button that opens it: whoever cannot drag moves it in the dialog behind that.
 */
import type { EventContentArg, EventDropArg, EventInput } from "@fullcalendar/core";
import dayGrid from "@fullcalendar/daygrid";
import interaction from "@fullcalendar/interaction";
import luxon from "@fullcalendar/luxon3";
import FullCalendar from "@fullcalendar/react";
import timeGrid from "@fullcalendar/timegrid";

import { PlatformMark } from "@/components/dashboard/platform-mark";
import { config } from "@/lib/config";
import type { CalendarUnit } from "@/lib/posts/calendar";
import type { Post } from "@/lib/posts/data";
import { platformNames } from "@/lib/posts/platforms";
import { POST_STATES, whyFixed, type Tone } from "@/lib/posts/states";
import type { Role } from "@/lib/roles";
import { cn } from "@/lib/utils/classes";

const VIEWS = { month: "dayGridMonth", week: "timeGridWeek" };
const TONES: Record<Tone, string> = {
  secondary: "border-l-text-muted bg-surface-muted",
  default: "border-l-brand-text bg-brand-soft",
  good: "border-l-good bg-good/10",
  warn: "border-l-warn bg-warn/10",
  bad: "border-l-bad bg-bad/10",
};
const TIME = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;

export interface CalendarGridProps {
  posts: readonly Post[];
  role: Role;
  unit: CalendarUnit;
  /** A day within what is shown. */
  day: string;
  onOpen: (id: string) => void;
  /** Dropped at this instant. False: it may not be there, and goes back. */
  onDrop: (id: string, at: number) => boolean;
}

export default function CalendarGrid({ posts, role, unit, day, onOpen, onDrop }: CalendarGridProps) {
  const events: EventInput[] = posts.map((post) => ({
    id: post.id,
    title: post.title ?? post.content,
    start: post.scheduled_for ?? undefined,
    startEditable: whyFixed(post, role) === null,
    extendedProps: { post },
  }));
  return (
    <div
      className={cn(
        "overflow-x-auto rounded-xl border border-line bg-surface p-2 text-sm",
        "[--fc-border-color:var(--line)] [--fc-neutral-bg-color:var(--surface-muted)]",
        "[--fc-now-indicator-color:var(--bad)]",
        "[--fc-page-bg-color:var(--surface)] [--fc-today-bg-color:color-mix(in_srgb,var(--brand)_8%,transparent)]",
        "[--fc-event-bg-color:transparent] [--fc-event-border-color:transparent] [--fc-event-text-color:var(--text)]",
        "[--fc-event-selected-overlay-color:transparent] [&_.fc-event]:shadow-none [&_.fc-timegrid-slot]:h-9!",
        // FullCalendar fades the neighbouring months' days so far that they cannot be read.
        "[&_.fc-day-other_.fc-daygrid-day-top]:opacity-100! [&_.fc-day-other_.fc-daygrid-day-number]:text-text-muted",
      )}
    >
      <FullCalendar
        key={`${unit} ${day}`}
        plugins={[dayGrid, timeGrid, interaction, luxon]}
        initialView={VIEWS[unit]}
        initialDate={day}
        timeZone={config.timezone}
        locale={config.locale}
        firstDay={1}
        headerToolbar={false}
        height="auto"
        events={events}
        eventContent={(shown) => <EventButton shown={shown} onOpen={onOpen} />}
        eventDrop={(dropped) => drop(dropped, onDrop)}
        eventDurationEditable={false}
        eventInteractive={false}
        forceEventDuration
        defaultTimedEventDuration="00:45"
        displayEventEnd={false}
        // Three lines: time and state, title, networks.
        eventMinHeight={56}
        eventTimeFormat={TIME}
        slotLabelFormat={TIME}
        slotDuration="01:00:00"
        snapDuration="00:15:00"
        slotEventOverlap={false}
        dayHeaderFormat={unit === "week" ? { weekday: "short", day: "numeric", month: "short" } : { weekday: "short" }}
        allDaySlot={false}
        nowIndicator
        // A day is called by what it holds; by its number alone, its posts would be hidden from voice control.
        dayCellDidMount={({ el }) => el.removeAttribute("aria-labelledby")}
        longPressDelay={350}
      />
    </div>
  );
}

function drop({ event, revert }: EventDropArg, onDrop: CalendarGridProps["onDrop"]): void {
  if (!event.start || !onDrop(event.id, event.start.getTime())) revert();
}

function EventButton({ shown, onOpen }: { shown: EventContentArg; onOpen: (id: string) => void }) {
  const post = shown.event.extendedProps.post as Post;
  const { label, tone } = POST_STATES[post.status];
  return (
    <button
      type="button"
      onClick={() => onOpen(post.id)}
      className={cn(
        "flex h-full w-full flex-col items-start overflow-hidden rounded-md border-l-4 px-1.5 py-0.5",
        "text-left text-xs leading-4 text-text",
        shown.event.startEditable ? "cursor-grab" : "cursor-pointer",
        TONES[tone],
      )}
    >
      <span className="flex w-full items-center gap-1">
        <span className="font-semibold tabular-nums">{shown.timeText}</span>
        <span className="truncate text-text-muted">{label}</span>
      </span>
      <span className="w-full truncate">{post.title ?? post.content}</span>
      <span className="flex gap-0.5">
        <span className="sr-only">{platformNames(post.platform_ids)}</span>
        {post.platform_ids.map((platform) => (
          <PlatformMark key={platform} platform={platform} className="size-3.5 rounded text-[0.5rem]" />
        ))}
      </span>
    </button>
  );
}
