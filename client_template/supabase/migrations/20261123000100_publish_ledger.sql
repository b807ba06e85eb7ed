-- The publish ledger, grown to what platforms really ask for: posts of several parts, work before the call, questions
-- to a person, and taking a post back.

alter table content_queue
    add column part smallint not null default 0 check (part between 0 and 50),
    add column part_kind text not null default 'post' check (part_kind in ('post', 'reply', 'comment')),
    add column due_at timestamptz not null default '-infinity',
    add column progress jsonb not null default '{}' check (jsonb_typeof(progress) = 'object'),
    add column fingerprint text not null default '',
    add column first_attempt_at timestamptz,
    add column tries integer not null default 0 check (tries >= 0),
    add column reads integer not null default 0 check (reads >= 0),
    add column absences integer not null default 0 check (absences >= 0),
    add column question text,
    add column late_ok boolean not null default false,
    add column cost_usd numeric(10, 4) not null default 0 check (cost_usd >= 0),
    add column undo_by text,
    add column undo_requested_at timestamptz,
    add column undone_at timestamptz,
    add column lateness_seconds integer generated always as (
        case when published_at is not null
             then greatest(extract(epoch from published_at - publish_at), 0)::integer end
    ) stored,
    drop column settle_after,
    drop column step,
    drop column container_id,
    drop constraint content_queue_post_id_account_id_revision_key,
    add unique (post_id, account_id, revision, part),
    drop constraint content_queue_status_check,
    add constraint content_queue_status_check check (
        status in ('scheduled', 'claimed', 'calling', 'published', 'refused', 'unknown', 'needs_review', 'cancelled',
                   'dropped', 'undo_requested', 'undone')
    ),
    add check ((part = 0) = (part_kind = 'post')),
    add check (status <> 'needs_review' or question is not null),
    add check (status <> 'undo_requested' or (platform_post_id is not null and undo_requested_at is not null)),
    add check (status <> 'undone' or undone_at is not null);
comment on table content_queue is
    'One row per post, account, revision and part: scheduled, claimed, calling, then published, refused or unknown. '
    'The intent is committed before the call; unknown is settled by reading the platform, never by resending.';
comment on column content_queue.part is '0 is the post; replies that continue it and a first comment follow, each only when the one before is public.';
comment on column content_queue.payload is 'What is to appear, frozen when it was scheduled: text, media, made_with_ai.';
comment on column content_queue.due_at is 'When the machine looks at this row next: the time of publishing, of a retry, or of settling what is unknown.';
comment on column content_queue.progress is 'What was made ready at the platform before the call (uploads, containers); stored after each step.';
comment on column content_queue.attempts is 'Irreversible calls that were begun.';
comment on column content_queue.tries is 'Fruitless tries since the last progress: the exponent of the back-off.';
comment on column content_queue.absences is 'Looks since the last call that did not find it at the platform; two of them make it absent.';
comment on column content_queue.late_ok is 'A person said that it may go out although it is late.';
comment on column content_queue.fingerprint is 'Hash of the words, by which the post is found when the platform is read back.';

drop index content_queue_due;
create index content_queue_due on content_queue (due_at) where status in ('scheduled', 'unknown', 'undo_requested');
create index content_queue_post on content_queue (post_id);

alter table publish_attempts
    drop constraint publish_attempts_outcome_check,
    add constraint publish_attempts_outcome_check check (
        outcome in ('published', 'retry', 'throttled', 'ambiguous', 'duplicate', 'auth', 'permission', 'blocked', 'input',
                    'config', 'adopted', 'not_found', 'unreadable', 'undone')
    );

alter table social_accounts
    add column has_refresh_token boolean not null default false,
    add column refresh_started_at timestamptz,
    add column reminded_at timestamptz,
    add column last_checked_at timestamptz,
    add column data_access_expires_at timestamptz;
comment on column social_accounts.refresh_started_at is 'Committed before a single-use refresh token is spent; null once the new pair is stored.';
grant select (data_access_expires_at, last_checked_at) on social_accounts to authenticated;

-- A post that is moved in the dashboard while it is on the queue goes out at its new time.
create function app.move_scheduled_post() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    update public.content_queue q
    set publish_at = new.scheduled_for, due_at = new.scheduled_for
    where q.post_id = new.id and q.revision = new.revision and q.status = 'scheduled'
      and not exists (
          select from public.content_queue begun
          where begun.post_id = q.post_id and begun.account_id = q.account_id and begun.revision = q.revision
            and begun.attempts > 0);
    return null;
end
$$;
comment on function app.move_scheduled_post() is 'Moves what is still to come; where a call was begun, the rest follows at its own pace.';
create trigger move_scheduled after update of scheduled_for on social_posts
    for each row when (old.status = 'scheduled' and new.status = 'scheduled'
                       and new.scheduled_for is distinct from old.scheduled_for)
    execute function app.move_scheduled_post();
