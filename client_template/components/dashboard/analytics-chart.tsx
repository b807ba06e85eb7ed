"use client";

/**
 * One figure over time, drawn with recharts. Loaded only where a chart is shown (next/dynamic in analytics-figure.tsx).
 * A period that is not known is a gap in the line and a grey mark on the axis; nothing is ever drawn as 0 in its place.
 */
import {
  CartesianGrid,
  Line,
  LineChart,
  ReferenceLine,
  ResponsiveContainer,
  Tooltip,
  XAxis,
  YAxis,
  type DotItemDotProps,
  type TooltipContentProps,
} from "recharts";

import type { FigureName, Point } from "@/lib/analytics/figures";
import type { PeriodKind } from "@/lib/analytics/snapshots";
import { periodName, pointText, value } from "@/lib/analytics/words";

type Props = { name: FigureName; kind: PeriodKind; points: Point[]; colour: string };

function Tip({ active, payload, name, kind }: Partial<TooltipContentProps> & Pick<Props, "name" | "kind">) {
  const point = payload?.[0]?.payload as Point | undefined;
  if (!active || !point) return null;
  return (
    <div className="max-w-64 rounded-lg border border-line bg-surface px-3 py-2 text-sm text-text shadow-lg">
      <p className="font-medium">{periodName(kind, point)}</p>
      <p className="text-text-muted">{pointText(name, point)}</p>
    </div>
  );
}

/** Full for what is known, hollow for what is known in part, a diamond for what was corrected. */
function Mark({ cx, cy, payload, colour }: DotItemDotProps & { colour: string }) {
  const point = payload as Point;
  if (cx == null || cy == null || point.value === null) return null;
  const fill = point.state === "partial" ? "var(--surface)" : colour;
  if (point.restated) {
    return <path d={`M${cx},${cy - 6}l6,6l-6,6l-6,-6z`} fill={fill} stroke={colour} strokeWidth={1.5} />;
  }
  return <circle cx={cx} cy={cy} r={3} fill={fill} stroke={colour} strokeWidth={1.5} />;
}

export default function AnalyticsChart({ name, kind, points, colour }: Props) {
  const gaps = points.filter((point) => point.state === "missing");
  return (
    <ResponsiveContainer width="100%" height={260}>
      <LineChart data={points} margin={{ top: 8, right: 12, bottom: 0, left: 0 }} accessibilityLayer={false}>
        <CartesianGrid stroke="var(--line)" vertical={false} />
        <XAxis
          dataKey="start"
          tickFormatter={(start: string) => {
            const point = points.find((one) => one.start === start);
            return point ? periodName(kind, point) : start;
          }}
          minTickGap={24}
          stroke="var(--text-muted)"
          tickLine={false}
          fontSize={12}
        />
        <YAxis
          tickFormatter={(tick: number) => value(name, tick)}
          width={56}
          stroke="var(--text-muted)"
          tickLine={false}
          axisLine={false}
          allowDecimals={name.startsWith("rate_")}
          fontSize={12}
        />
        <Tooltip content={(props) => <Tip {...props} name={name} kind={kind} />} filterNull={false} />
        {gaps.map((point) => (
          <ReferenceLine
            key={point.start}
            x={point.start}
            stroke="var(--text-muted)"
            strokeOpacity={0.35}
            strokeDasharray="2 4"
          />
        ))}
        <Line
          dataKey="value"
          stroke={colour}
          strokeWidth={2}
          connectNulls={false}
          isAnimationActive={false}
          dot={(props: DotItemDotProps) => <Mark key={props.index} {...props} colour={colour} />}
        />
      </LineChart>
    </ResponsiveContainer>
  );
}
