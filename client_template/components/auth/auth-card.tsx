/** The frame of the pages before the app: whose app it is, one task, and where else to go. */
import type { ReactNode } from "react";

import { BrandMark } from "@/components/dashboard/brand-mark";
import { config } from "@/lib/config";

export function AuthCard({ title, lead, children, foot }: { title: string; lead: ReactNode; children: ReactNode; foot?: ReactNode }) {
  return (
    <div className="flex w-full max-w-sm flex-col gap-8">
      <div className="flex items-center gap-3 lg:hidden">
        <BrandMark />
        <span className="min-w-0 truncate font-semibold">{config.name}</span>
      </div>
      <div className="flex flex-col gap-2">
        <h1 className="text-2xl leading-8 font-semibold tracking-tight">{title}</h1>
        <div className="leading-6 text-text-muted">{lead}</div>
      </div>
      {children}
      {foot ? <div className="border-t border-line pt-5 text-sm leading-6 text-text-muted">{foot}</div> : null}
    </div>
  );
}
