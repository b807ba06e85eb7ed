import type { Metadata } from "next";

import { CalendarView } from "@/components/dashboard/calendar-view";
import { currentPerson } from "@/lib/session";

export const metadata: Metadata = { title: "Calendar" };

export default async function CalendarPage() {
  const person = await currentPerson();
  if (!person) return null; // the layout says why
  return (
    <div className="flex flex-col gap-6">
      <header className="flex flex-col gap-1">
        <h1 className="text-2xl font-semibold tracking-tight">Calendar</h1>
        <p className="text-sm text-text-muted">What goes out when, and what became of it.</p>
      </header>
      {/* The server's clock, so that the first drawing there and in the browser is of the same day. */}
      <CalendarView role={person.role} now={currentTime()} />
    </div>
  );
}

function currentTime(): number {
  return Date.now();
}
