import { BarChart3, CalendarDays, Sparkles } from "lucide-react";

import { BrandMark } from "@/components/dashboard/brand-mark";
import { config } from "@/lib/config";

const PROMISES = [
  { icon: Sparkles, text: "A brief becomes a post for each of your networks, in your own voice." },
  { icon: CalendarDays, text: "You decide what goes out and when; a person has the last word." },
  { icon: BarChart3, text: "Every morning you see what your posts and leads have done." },
];

export default function AuthLayout({ children }: { children: React.ReactNode }) {
  return (
    <div className="grid min-h-dvh lg:grid-cols-[minmax(0,5fr)_minmax(0,6fr)]">
      <aside className="hidden flex-col justify-between bg-brand p-12 text-brand-contrast lg:flex xl:p-16">
        <div className="flex items-center gap-3">
          <BrandMark className="bg-brand-contrast text-brand shadow-none" />
          <span className="text-lg font-semibold tracking-tight">{config.name}</span>
        </div>
        <ul className="flex max-w-md flex-col gap-6 text-lg leading-7">
          {PROMISES.map(({ icon: Icon, text }) => (
            <li key={text} className="flex gap-4">
              <Icon className="mt-0.5 size-6 shrink-0" aria-hidden />
              {text}
            </li>
          ))}
        </ul>
        <p className="text-sm">Your data stays in a database of your own.</p>
      </aside>
      <main className="flex justify-center px-5 py-10 sm:items-center sm:px-8 sm:py-16">{children}</main>
    </div>
  );
}
