"use client";

/**
 * One post, network by network: words beside a preview, saved and sent for approval. What is typed is kept for the tab
 * until it is saved; where somebody else saved meanwhile, the person decides which words stay. Not here: asking for a
 * post (request-form.tsx), deciding about one (approval-queue.tsx).
 */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Send } from "lucide-react";
import { useId } from "react";

import { PlatformMark } from "@/components/dashboard/platform-mark";
import { PostFindings } from "@/components/dashboard/post-findings";
import { PostPreview } from "@/components/dashboard/post-preview";
import { PostState } from "@/components/dashboard/post-state";
import { VariantEditor } from "@/components/dashboard/variant-editor";
import { Button } from "@/components/ui/button";
import { Tabs, TabsContent, TabsList, TabsTrigger } from "@/components/ui/tabs";
import { toast } from "@/components/ui/toast";
import { ChangedMeanwhile, savePost, submitPost, type Post } from "@/lib/posts/data";
import { inPlainWords } from "@/lib/posts/fault-words";
import { PLATFORM_NAMES, type Platform } from "@/lib/posts/platforms";
import { checkPost, type Variant } from "@/lib/posts/rules";
import { canEdit, canSubmit, goesOutOnApproval, POST_STATES } from "@/lib/posts/states";
import { usePostDraft } from "@/lib/posts/use-post-draft";
import { can, type Role } from "@/lib/roles";
import { formatMoment } from "@/lib/utils/dates";

const NO_WORDS: Variant = { text: "", thread: [], first_comment: null };

interface PostEditorProps {
  post: Post;
  person: { id: string; role: Role };
  /** Names of the connected accounts, for the previews. */
  accounts?: Partial<Record<Platform, string>>;
}

export function PostEditor({ post, person, accounts = {} }: PostEditorProps) {
  const queries = useQueryClient();
  const draft = usePostDraft(post, person.id);
  const isEditable = canEdit(post, person.role);
  const faults = draft.platforms.flatMap((platform) => faultsOn(platform, draft.variants[platform] ?? NO_WORDS, post));
  const moment = goesOutOnApproval(post)
    ? "As soon as approved"
    : post.scheduled_for
      ? formatMoment(post.scheduled_for)
      : undefined;

  const save = useMutation({
    mutationFn: () => savePost(post.id, draft.basedOn, { variants: draft.variants, platform_ids: draft.platforms }),
    onSuccess: draft.discard,
    onSettled: () => refreshPosts(queries),
  });
  const submit = useMutation({
    mutationFn: async () => {
      if (draft.isChanged) await save.mutateAsync();
      return submitPost(post.id);
    },
    onSuccess: () => toast.success("Sent for approval. Its reviewers will be asked."),
    onSettled: () => refreshPosts(queries),
  });
  const error = save.error ?? submit.error;
  const isBusy = save.isPending || submit.isPending;

  return (
    <article className="flex flex-col gap-4" aria-label={post.title ?? "Post"}>
      <header className="flex flex-wrap items-center gap-2">
        <h2 className="text-lg font-semibold tracking-tight break-words">{post.title ?? "Post without a title"}</h2>
        <PostState status={post.status} />
        <p className="w-full text-sm text-text-muted">
          {POST_STATES[post.status].means}{" "}
          {moment ? `Goes out: ${moment}.` : "It has no time yet; the calendar gives it one."}
        </p>
      </header>
      <LastWord post={post} />
      <PostFindings findings={post.findings} lastError={post.last_error} />
      {draft.isOvertaken ? <Overtaken onKeep={draft.rebase} onDiscard={draft.discard} /> : null}
      {post.platform_ids.length ? (
        <Tabs defaultValue={post.platform_ids[0]}>
          <TabsList aria-label="Networks">
            {post.platform_ids.map((platform) => (
              <TabsTrigger key={platform} value={platform}>
                <PlatformMark platform={platform} />
                {PLATFORM_NAMES[platform]}
                {faults.some((fault) => fault.platform === platform) ? (
                  <span className="text-bad">· to mend</span>
                ) : null}
              </TabsTrigger>
            ))}
          </TabsList>
          {post.platform_ids.map((platform) => (
            <TabsContent key={platform} value={platform} className="grid grid-cols-1 items-start gap-6 lg:grid-cols-2">
              {isEditable ? (
                <div className="flex flex-col gap-4">
                  <LeaveOut
                    platform={platform}
                    isIn={draft.platforms.includes(platform)}
                    isOnly={draft.platforms.length === 1}
                    onChange={(isIn) => draft.choose(platform, isIn)}
                  />
                  <VariantEditor
                    platform={platform}
                    variant={draft.variants[platform] ?? NO_WORDS}
                    onChange={(variant) => draft.write(platform, variant)}
                  />
                </div>
              ) : null}
              <PostPreview
                platform={platform}
                variant={draft.variants[platform] ?? NO_WORDS}
                media={post.media}
                account={accounts[platform]}
                moment={moment}
              />
            </TabsContent>
          ))}
        </Tabs>
      ) : (
        <p className="text-sm text-text-muted">This post is meant for no network.</p>
      )}
      {isEditable && faults.length ? (
        <div role="status" className="rounded-lg border border-bad/30 bg-bad/5 p-3 text-sm">
          <p className="font-medium">Mend this before it is sent for approval:</p>
          <ul className="list-disc pl-5">
            {faults.map(({ platform, fault }, place) => (
              <li key={place}>
                {PLATFORM_NAMES[platform]}: {inPlainWords(fault)}
              </li>
            ))}
          </ul>
        </div>
      ) : null}
      {error && !(error instanceof ChangedMeanwhile && draft.isOvertaken) ? (
        <p role="alert" className="text-sm text-bad">
          {error.message} Your words are still here.
        </p>
      ) : null}
      {isEditable ? (
        <footer className="flex flex-wrap items-center gap-2">
          <Button
            variant="secondary"
            onClick={() => save.mutate()}
            loading={save.isPending}
            disabled={!draft.isChanged || draft.isOvertaken || isBusy}
          >
            Save
          </Button>
          {canSubmit(post) ? (
            <Button
              onClick={() => submit.mutate()}
              loading={submit.isPending}
              disabled={faults.length > 0 || draft.isOvertaken || isBusy}
            >
              <Send aria-hidden />
              {draft.isChanged ? "Save and send for approval" : "Send for approval"}
            </Button>
          ) : null}
          {draft.isChanged ? (
            <Button variant="ghost" onClick={draft.discard} disabled={isBusy}>
              Throw my changes away
            </Button>
          ) : null}
          {draft.isChanged && ["approved", "scheduled", "in_review"].includes(post.status) ? (
            <p className="w-full text-sm text-text-muted">
              Saving takes its approval back: the reviewers are asked again.
            </p>
          ) : null}
        </footer>
      ) : can(person.role, "generate") ? null : (
        <p className="text-sm text-text-muted">Your role may read posts and not change them.</p>
      )}
    </article>
  );
}

function faultsOn(platform: Platform, variant: Variant, post: Post) {
  return checkPost(platform, variant, post.media).map((fault) => ({ platform, fault }));
}

function refreshPosts(queries: ReturnType<typeof useQueryClient>): void {
  void queries.invalidateQueries({ queryKey: ["posts"] });
}

/** Why a reviewer sent it back. */
function LastWord({ post }: { post: Post }) {
  const [last] = post.decisions;
  if (!last?.comment || !["changes_requested", "rejected"].includes(post.status)) return null;
  return (
    <blockquote className="rounded-lg border-l-4 border-warn bg-surface-muted px-4 py-3 text-sm whitespace-pre-wrap">
      {last.comment}
      <footer className="mt-1 text-text-muted">
        {last.reviewer}, {formatMoment(last.decided_at)}
      </footer>
    </blockquote>
  );
}

function Overtaken({ onKeep, onDiscard }: { onKeep: () => void; onDiscard: () => void }) {
  return (
    <div role="alert" className="flex flex-col gap-3 rounded-lg border border-warn/40 bg-warn/10 p-4 text-sm">
      <p>
        <strong className="font-semibold">Somebody else saved this post while you were writing.</strong> You see your
        own words. Which ones shall stay?
      </p>
      <div className="flex flex-wrap gap-2">
        <Button size="sm" variant="secondary" onClick={onDiscard}>
          Show theirs, throw mine away
        </Button>
        <Button size="sm" variant="secondary" onClick={onKeep}>
          Go on with mine
        </Button>
      </div>
    </div>
  );
}

interface LeaveOutProps {
  platform: Platform;
  isIn: boolean;
  isOnly: boolean;
  onChange: (isIn: boolean) => void;
}

function LeaveOut({ platform, isIn, isOnly, onChange }: LeaveOutProps) {
  const id = useId();
  return (
    <label htmlFor={id} className="flex items-center gap-2 text-sm">
      <input
        id={id}
        type="checkbox"
        className="size-4 accent-[var(--brand)]"
        checked={isIn}
        disabled={isIn && isOnly}
        onChange={(event) => onChange(event.target.checked)}
      />
      Publish on {PLATFORM_NAMES[platform]}
      {isIn && isOnly ? <span className="text-text-muted">(one network has to stay)</span> : null}
    </label>
  );
}
