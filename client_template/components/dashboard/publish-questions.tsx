"use client";

/**
 * Questions about posts that only a person can answer, above the posts in review; nothing at all where there are none.
 * What was answered says so until the pipeline has applied it.
 */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { CircleHelp } from "lucide-react";
import { useState } from "react";

import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card, CardContent, CardHeader, CardTitle } from "@/components/ui/card";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { toast } from "@/components/ui/toast";
import { platformNames } from "@/lib/posts/platforms";
import {
  answerQuestion,
  fittingAnswers,
  openQuestions,
  type PublishAnswer,
  type PublishQuestion,
} from "@/lib/posts/questions";
import { told } from "@/lib/posts/told";
import { formatMoment } from "@/lib/utils/dates";

const LOOK_AGAIN_MS = 60_000;
const QUESTIONS = ["posts", "questions"] as const;
const WORDS: Record<PublishAnswer, string> = {
  published: "It is public",
  "not-published": "It is not there: send it again",
  publish: "Publish it all the same",
  drop: "Never publish it",
  deleted: "It is deleted",
};

export function PublishQuestions({ mayDecide }: { mayDecide: boolean }) {
  const found = useQuery({ queryKey: QUESTIONS, queryFn: openQuestions, refetchInterval: LOOK_AGAIN_MS });
  if (found.isError && !found.data) {
    return (
      <p role="status" className="text-sm text-warn">
        Whether posts wait for an answer could not be read. Trying again.
      </p>
    );
  }
  if (!found.data?.length) return null;
  return (
    <section aria-labelledby="publish-questions" className="flex flex-col gap-3">
      <h2 id="publish-questions" className="text-lg font-semibold">
        {found.data.length === 1 ? "One post needs your answer" : `${found.data.length} posts need your answer`}
      </h2>
      <ul className="flex flex-col gap-3">
        {found.data.map((question) => (
          <li key={question.id}>
            <Question question={question} mayDecide={mayDecide} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Question({ question, mayDecide }: { question: PublishQuestion; mayDecide: boolean }) {
  const queries = useQueryClient();
  const [url, setUrl] = useState("");
  const [said] = question.answers;
  const network = platformNames([question.platform_id]);
  const answer = useMutation({
    mutationFn: (action: PublishAnswer) =>
      answerQuestion(question.id, action, action === "published" && url ? url : null),
    onSuccess: () => toast.success("Noted. It takes effect within a quarter of an hour."),
    onError: (error) => toast.error("The answer was not taken", { description: told(error) }),
    onSettled: () => queries.invalidateQueries({ queryKey: QUESTIONS }),
  });
  const answers = fittingAnswers(question);
  const isAnswered = said !== undefined && said.applied_at === null;
  return (
    <Card>
      <CardHeader>
        <div className="flex flex-wrap items-start justify-between gap-2">
          <CardTitle className="flex min-w-0 items-center gap-2 break-words">
            <CircleHelp className="size-5 shrink-0" aria-hidden />
            {question.post?.title ?? question.post?.content.slice(0, 80) ?? "A post"}
          </CardTitle>
          <Badge variant="warn">{network}</Badge>
        </div>
        <p className="text-xs text-text-muted">Planned for {formatMoment(question.publish_at)}</p>
      </CardHeader>
      <CardContent className="flex flex-col gap-3 text-sm">
        <p className="break-words whitespace-pre-line">{question.question}</p>
        {said?.outcome ? <p className="text-text-muted">After the last answer: {said.outcome}</p> : null}
        {isAnswered ? <p role="status">Answered. It takes effect within a quarter of an hour.</p> : null}
        {mayDecide && !isAnswered ? (
          <>
            {answers.includes("not-published") ? (
              <p>Look at the account first: what is sent again and was there after all is public twice.</p>
            ) : null}
            {answers.includes("not-published") ? (
              <Field label={`Its address on ${network}, if you found it`} hint="https://…, as your browser shows it">
                <Input type="url" inputMode="url" value={url} onChange={(event) => setUrl(event.target.value)} />
              </Field>
            ) : null}
            <div className="flex flex-wrap gap-2">
              {answers.map((action) => (
                <Button
                  key={action}
                  size="sm"
                  variant={action === answers[0] ? "default" : "secondary"}
                  disabled={answer.isPending || (action === "published" && url !== "" && !isWebAddress(url))}
                  onClick={() => answer.mutate(action)}
                >
                  {WORDS[action]}
                </Button>
              ))}
            </div>
          </>
        ) : null}
        {mayDecide ? null : <p className="text-text-muted">An approver can answer this.</p>}
      </CardContent>
    </Card>
  );
}

function isWebAddress(url: string): boolean {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
}
