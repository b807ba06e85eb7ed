"use client";

/** A card with one figure: its chart, what it lacks in words, and the same numbers as a table. */
import dynamic from "next/dynamic";

import { Card, CardContent, CardDescription, CardHeader, CardTitle } from "@/components/ui/card";
import { Skeleton } from "@/components/ui/skeleton";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { FIGURES, isRate, totalOf, type FigureName, type Point } from "@/lib/analytics/figures";
import type { PeriodKind } from "@/lib/analytics/snapshots";
import { periodName, value } from "@/lib/analytics/words";

const Chart = dynamic(() => import("./analytics-chart"), {
  ssr: false,
  loading: () => <Skeleton className="h-[260px] w-full" />,
});

type Props = { name: FigureName; kind: PeriodKind; points: Point[]; colour: string };

function summary(name: FigureName, kind: PeriodKind, points: Point[]): string {
  const known = points.filter((point) => point.value !== null);
  const best = known.reduce<Point | null>((top, one) => ((top?.value ?? -Infinity) < (one.value ?? 0) ? one : top), null);
  const total = totalOf(points);
  const parts = [
    ...(best ? [`Most: ${value(name, best.value)} (${periodName(kind, best)}).`] : ["No number is known."]),
    ...(isRate(name) || total.value === null ? [] : [`In all: ${value(name, total.value)}.`]),
    ...(total.missing ? [`Not known: ${total.missing} of ${points.length} ${kind}s.`] : []),
  ];
  return parts.join(" ");
}

export function AnalyticsFigure({ name, kind, points, colour }: Props) {
  const gaps = points.filter((point) => point.state === "missing").length;
  const partly = points.filter((point) => point.state === "partial").length;
  const restated = points.filter((point) => point.restated).length;
  return (
    <Card>
      <CardHeader>
        <CardTitle>{FIGURES[name]}</CardTitle>
        <CardDescription>
          {[
            gaps ? `Not known on ${gaps} of ${points.length} ${kind}s: a gap, not a zero` : null,
            partly ? `hollow marks lack some posts (${partly})` : null,
            restated ? `diamonds were corrected since (${restated})` : null,
          ]
            .filter(Boolean)
            .join("; ") || "All numbers are known."}
        </CardDescription>
      </CardHeader>
      <CardContent className="flex flex-col gap-3">
        <div role="img" aria-label={`${FIGURES[name]} by ${kind}. ${summary(name, kind, points)}`}>
          <Chart name={name} kind={kind} points={points} colour={colour} />
        </div>
        <details className="group text-sm">
          <summary className="w-fit cursor-pointer rounded text-text-muted hover:text-text">As a table</summary>
          <div className="mt-2 max-h-80 overflow-y-auto">
            <FigureTable name={name} kind={kind} points={points} />
          </div>
        </details>
      </CardContent>
    </Card>
  );
}

function FigureTable({ name, kind, points }: Omit<Props, "colour">) {
  return (
    <Table aria-label={`${FIGURES[name]} by ${kind}`}>
      <TableHeader>
        <TableRow>
          <TableHead>{kind === "day" ? "Day" : kind === "week" ? "Week" : "Month"}</TableHead>
          <TableHead className="text-right">{FIGURES[name]}</TableHead>
          <TableHead>Note</TableHead>
        </TableRow>
      </TableHeader>
      <TableBody>
        {points.map((point) => (
          <TableRow key={point.start}>
            <TableHead scope="row">{periodName(kind, point)}</TableHead>
            <TableCell className="text-right tabular-nums">{value(name, point.value, point.state)}</TableCell>
            <TableCell className="text-text-muted">
              {[point.state === "nothing" ? null : point.note, point.restated ? "corrected" : null]
                .filter(Boolean)
                .join("; ")}
            </TableCell>
          </TableRow>
        ))}
      </TableBody>
    </Table>
  );
}
