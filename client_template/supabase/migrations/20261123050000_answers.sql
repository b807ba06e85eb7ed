-- What people say in the dashboard about rows of the publish ledger; and posts that were taken back altogether.

create table publish_answers (
    id uuid primary key default gen_random_uuid(),
    queue_id uuid not null references content_queue (id) on delete cascade,
    action text not null check (action in ('published', 'not-published', 'publish', 'drop', 'deleted', 'undo')),
    url text check (url ~ '^https?://' and length(url) <= 2000),
    asked_by uuid references users (id) on delete set null,
    created_at timestamptz not null default now(),
    applied_at timestamptz,
    outcome text
);
comment on table publish_answers is
    'Answers to questions about posts, and requests to take one back. A run applies each once and says what came of it.';
create index publish_answers_queue on publish_answers (queue_id);
create index publish_answers_asked_by on publish_answers (asked_by);
create unique index publish_answers_one_open on publish_answers (queue_id) where applied_at is null;
select app.protect('publish_answers', '{owner,admin,editor,approver,viewer}');

create function answer_about_post(queue_id uuid, action text, url text default null) returns uuid
language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
declare
    answer uuid;
begin
    if not (app.has_role('owner', 'approver') or app.may('posts.approve')) then
        raise exception 'only approvers decide on posts' using errcode = 'insufficient_privilege';
    end if;
    if not exists (
        select from public.content_queue q
        where q.id = answer_about_post.queue_id
          and q.status = case when answer_about_post.action = 'undo' then 'published' else 'needs_review' end
    ) then
        raise exception 'this post asks nothing and is not public' using errcode = 'invalid_parameter_value';
    end if;
    insert into public.publish_answers (queue_id, action, url, asked_by)
    values (answer_about_post.queue_id, answer_about_post.action, answer_about_post.url, app.user_id())
    on conflict (queue_id) where applied_at is null do nothing
    returning id into answer;
    if answer is null then
        raise exception 'somebody has answered already' using errcode = 'invalid_parameter_value';
    end if;
    return answer;
end
$$;
comment on function answer_about_post(uuid, text, text) is
    'Answers the question about a row of the queue, or asks to take a published one back; applied within 15 minutes.';
revoke all on function answer_about_post(uuid, text, text) from public, anon;
grant execute on function answer_about_post(uuid, text, text) to authenticated;

alter table social_posts
    drop constraint social_posts_status_check,
    add constraint social_posts_status_check check (
        status in ('draft', 'blocked', 'in_review', 'changes_requested', 'rejected', 'approved', 'scheduled', 'published',
                   'partly_published', 'failed', 'withdrawn', 'archived')
    );
create index content_queue_undone on content_queue (undone_at) where status = 'undone';
