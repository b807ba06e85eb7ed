-- What is asked for, in whose voice, who must agree, and when it may go out.

alter table organizations
    add column country text not null default 'ZA' check (country ~ '^[A-Z]{2}$'),
    add column skips_public_holidays boolean not null default true,
    add column media_bucket text not null generated always as ('media-' || slug) stored,
    add column reminder_hours integer not null default 24 check (reminder_hours between 1 and 720),
    add column escalation_hours integer not null default 48 check (escalation_hours between 1 and 1440),
    add column undo_hours integer not null default 24 check (undo_hours between 0 and 720);
comment on column organizations.country is 'Whose public holidays the next free slot passes over.';
comment on column organizations.media_bucket is
    'The client''s own bucket: one storage and one key serve all clients, so a path must never lead into another''s.';
comment on column organizations.undo_hours is 'For how long a published post may be taken back.';
grant update (country, skips_public_holidays, reminder_hours, escalation_hours, undo_hours) on organizations
    to authenticated;

create table brand_rules (
    organization_id uuid primary key default app.organization_id() references organizations (id) on delete restrict,
    voice text not null default 'plain and friendly' check (length(voice) between 1 and 2000),
    audience text not null default '' check (length(audience) <= 2000),
    banned_words text[] not null default '{}' check (cardinality(banned_words) <= 500),
    banned_claims text[] not null default '{}' check (cardinality(banned_claims) <= 500),
    required_disclaimer text check (length(required_disclaimer) between 1 and 500),
    hashtags text[] not null default '{}' check (cardinality(hashtags) <= 30),
    language text not null default 'en-ZA' check (length(language) between 2 and 35),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table brand_rules is 'How the client speaks, and what it never says. One row, or none: the defaults.';
select app.keep_updated_at('brand_rules');
select app.protect('brand_rules', '{owner,admin,editor,approver,viewer}', '{owner,admin}');

create table posting_slots (
    id uuid primary key default gen_random_uuid(),
    weekday smallint not null check (weekday between 1 and 7),
    at_local time not null check (at_local < '24:00'),
    platform_ids text[] not null default '{}' check (platform_ids <@ '{facebook,instagram,linkedin,x}'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (weekday, at_local)
);
comment on table posting_slots is 'When posts may go out that name no time of their own: ISO weekday and wall time; no platforms means all.';
select app.keep_updated_at('posting_slots');
select app.protect('posting_slots', '{owner,admin,editor,approver,viewer}', '{owner,admin,editor}');

create table content_requests (
    id uuid primary key,
    source text not null,
    delivery_id text not null,
    received_at timestamptz not null,
    received_on date not null generated always as ((received_at at time zone 'UTC')::date) stored,
    brief text not null,
    template_id uuid references content_templates (id) on delete set null,
    platform_ids text[] not null,
    media jsonb not null default '[]' check (jsonb_typeof(media) = 'array'),
    schedule jsonb not null default '{}' check (jsonb_typeof(schedule) = 'object'),
    requested_by text,
    status text not null default 'received' check (status in ('received', 'generated', 'refused', 'needs_review')),
    faults jsonb not null default '[]' check (jsonb_typeof(faults) = 'array'),
    review_reason text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    check (status <> 'refused' or jsonb_array_length(faults) > 0),
    check (status <> 'needs_review' or review_reason is not null)
);
comment on table content_requests is 'What was asked for; id is that of the delivery in the master''s inbox. A refusal names field, limit and value.';
create index content_requests_received_on on content_requests (received_on);
create index content_requests_template on content_requests (template_id);
create index content_requests_open on content_requests (received_at) where status in ('received', 'needs_review');
select app.keep_updated_at('content_requests');
select app.protect('content_requests', '{owner,admin,editor,approver,viewer}');

create table recurring_requests (
    id uuid primary key default gen_random_uuid(),
    name text not null unique check (length(name) between 1 and 120),
    request jsonb not null check (jsonb_typeof(request) = 'object'),
    every smallint not null default 1 check (every between 1 and 52),
    unit text not null check (unit in ('day', 'week')),
    weekdays smallint[] not null default '{}' check (weekdays <@ '{1,2,3,4,5,6,7}'::smallint[]),
    at_local time not null check (at_local < '24:00'),
    starts_on date not null default current_date check (starts_on between '2000-01-01' and '2100-01-01'),
    until date check (until <= '2100-01-01'),
    is_paused boolean not null default false,
    last_occurrence date,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    check (until is null or until >= starts_on)
);
comment on table recurring_requests is 'Posts that are asked for again and again; each occurrence is a request of its own, made once.';
select app.keep_updated_at('recurring_requests');
select app.protect('recurring_requests', '{owner,admin,editor,approver,viewer}', '{owner,admin,editor}');
-- What has been made, and since when a rule counts, is not for people to say.
revoke insert, update on recurring_requests from authenticated;
grant insert (name, request, every, unit, weekdays, at_local, starts_on, until, is_paused) on recurring_requests
    to authenticated;
grant update (name, request, every, unit, weekdays, at_local, starts_on, until, is_paused) on recurring_requests
    to authenticated;

alter table ai_generation_log
    add column content_request_id uuid references content_requests (id) on delete set null;
create index ai_generation_log_content_request on ai_generation_log (content_request_id);

alter table social_posts
    add column request_id uuid references content_requests (id) on delete set null,
    add column time_zone text,
    add column findings jsonb not null default '[]' check (jsonb_typeof(findings) = 'array'),
    add column review_requested_at timestamptz,
    add column reminded_at timestamptz,
    add column escalated_at timestamptz,
    add column last_error text,
    drop constraint social_posts_status_check,
    add constraint social_posts_status_check check (
        status in ('draft', 'blocked', 'in_review', 'changes_requested', 'rejected', 'approved', 'scheduled', 'published',
                   'partly_published', 'failed', 'archived')
    );
comment on column social_posts.findings is 'What the checks before scheduling found: rule, severity, reason. A blocking one makes the post blocked.';
create index social_posts_request on social_posts (request_id);
create index social_posts_in_review on social_posts (review_requested_at) where status = 'in_review';
create index social_posts_approved on social_posts (approved_at) where status = 'approved';

create table review_decisions (
    id uuid primary key default gen_random_uuid(),
    post_id uuid not null references social_posts (id) on delete restrict,
    content_hash text not null,
    decision text not null check (decision in ('approved', 'changes_requested', 'rejected')),
    comment text not null default '' check (length(comment) <= 4000),
    reviewer text not null check (length(reviewer) between 1 and 320),
    via text not null check (via in ('link', 'app', 'cli')),
    decided_at timestamptz not null default now()
);
comment on table review_decisions is 'Who decided what about exactly which content; added to and never changed.';
create index review_decisions_post on review_decisions (post_id, decided_at);
create index review_decisions_decided_at on review_decisions (decided_at) where decision <> 'approved';
select app.protect('review_decisions', '{owner,admin,editor,approver,viewer}');

-- Each round of review is told of, reminded of and escalated by itself: it begins when a post comes into review, and
-- again with each edit there.
create or replace function app.hash_social_post() returns trigger
language plpgsql set search_path = '' as $$
begin
    new.content_hash := encode(sha256(convert_to(
        jsonb_build_array(new.content, new.variants, new.media, new.platform_ids)::text, 'UTF8')), 'hex');
    if tg_op = 'UPDATE' and new.content_hash <> old.content_hash then
        new.revision := old.revision + 1;
        new.approved_hash := null;
        new.approved_by := null;
        new.approved_at := null;
        if old.status in ('approved', 'scheduled') then
            new.status := 'in_review';
        end if;
    end if;
    if tg_op = 'UPDATE' and new.status = 'in_review'
        and (old.status <> 'in_review' or new.content_hash <> old.content_hash) then
        new.review_requested_at := null;
        new.reminded_at := null;
        new.escalated_at := null;
    end if;
    return new;
end
$$;
comment on function app.hash_social_post() is
    'Keeps content_hash true, takes an approval back when the content changes, and begins a new round of review.';
-- What a publisher changes of a post (its state) needs no new hash.
drop trigger hash_content on social_posts;
create trigger hash_content before insert or update of content, variants, media, platform_ids, content_hash on social_posts
    for each row execute function app.hash_social_post();
create trigger hash_reviewed before update of status on social_posts
    for each row when (new.status = 'in_review') execute function app.hash_social_post();


-- What the checks blocked, its editor mends and submits; the reviewers see what was found.
drop policy change on social_posts;
create policy change on social_posts for update to authenticated
    using ((select app.has_role('owner', 'admin', 'editor'))
           and status in ('draft', 'blocked', 'in_review', 'changes_requested', 'approved', 'scheduled'))
    with check ((select app.has_role('owner', 'admin', 'editor')));

create or replace function submit_post(post_id uuid) returns text
language plpgsql security definer set search_path = '' as $$
declare
    hash text;
begin
    if not app.has_role('owner', 'admin', 'editor') then
        raise exception 'only editors submit posts' using errcode = 'insufficient_privilege';
    end if;
    -- A limit or a missing account, which last_error names, may be mended without an edit and is looked at again.
    update public.social_posts p
    set status = 'in_review', last_error = null, findings = coalesce((
        select jsonb_agg(f) from jsonb_array_elements(p.findings) f where f ->> 'reason' is distinct from p.last_error
    ), '[]')
    where p.id = submit_post.post_id and p.status in ('draft', 'blocked', 'changes_requested')
    returning p.content_hash into hash;
    if hash is null then
        raise exception 'the post is not a draft' using errcode = 'invalid_parameter_value';
    end if;
    perform public.append_audit('user:' || app.user_id(), 'post.submitted', 'social_post:' || submit_post.post_id,
                                jsonb_build_object('content_hash', hash));
    return hash;
end
$$;

create function app.record_decision(post_id uuid, content_hash text, decision text, reason text) returns void
language plpgsql security definer set search_path = '' as $$
begin
    insert into public.review_decisions (post_id, content_hash, decision, comment, reviewer, via)
    select record_decision.post_id, record_decision.content_hash, record_decision.decision, record_decision.reason,
           u.email, 'app'
    from public.users u where u.id = app.user_id();
    perform public.append_audit('user:' || app.user_id(), 'post.' || record_decision.decision,
                                'social_post:' || record_decision.post_id,
                                jsonb_build_object('content_hash', record_decision.content_hash));
end
$$;
comment on function app.record_decision(uuid, text, text, text) is
    'What the three functions of the dashboard leave behind. The reason stands in review_decisions alone: an audit log '
    'cannot be erased.';

create or replace function approve_post(post_id uuid, content_hash text) returns void
language plpgsql security definer set search_path = '' as $$
begin
    if not (app.has_role('owner', 'approver') or app.may('posts.approve')) then
        raise exception 'only approvers approve posts' using errcode = 'insufficient_privilege';
    end if;
    update public.social_posts p
    set status = 'approved', approved_hash = p.content_hash, approved_by = app.user_id(), approved_at = now()
    where p.id = approve_post.post_id and p.status = 'in_review' and p.content_hash = approve_post.content_hash;
    if not found then
        raise exception 'the post changed since it was shown, or is not in review'
            using errcode = 'invalid_parameter_value';
    end if;
    perform app.record_decision(approve_post.post_id, approve_post.content_hash, 'approved', '');
end
$$;

create function app.send_back(post_id uuid, decision text, reason text) returns void
language plpgsql security definer set search_path = '' as $$
declare
    hash text;
begin
    if not (app.has_role('owner', 'approver') or app.may('posts.approve')) then
        raise exception 'only approvers decide on posts' using errcode = 'insufficient_privilege';
    end if;
    if coalesce(length(trim(send_back.reason)), 0) not between 1 and 4000 then
        raise exception 'say why, in at most 4000 characters' using errcode = 'invalid_parameter_value';
    end if;
    update public.social_posts p
    set status = send_back.decision, approved_hash = null, approved_by = null, approved_at = null,
        -- What is on the queue is of the old revision from here on, and no call begins for it any more.
        revision = p.revision + case when p.status = 'scheduled' then 1 else 0 end
    where p.id = send_back.post_id and p.status in ('in_review', 'approved', 'scheduled')
    returning p.content_hash into hash;
    if hash is null then
        raise exception 'the post is not in review' using errcode = 'invalid_parameter_value';
    end if;
    perform app.record_decision(send_back.post_id, hash, send_back.decision, trim(send_back.reason));
end
$$;
comment on function app.send_back(uuid, text, text) is 'Takes a post out of review, or an approval back, with a reason.';

create or replace function request_post_changes(post_id uuid, reason text) returns void
language sql security definer set search_path = '' as $$
    select app.send_back(request_post_changes.post_id, 'changes_requested', request_post_changes.reason)
$$;

create function reject_post(post_id uuid, reason text) returns void
language sql security definer set search_path = '' as $$
    select app.send_back(reject_post.post_id, 'rejected', reject_post.reason)
$$;
comment on function reject_post(uuid, text) is 'Ends a post for good, with a reason.';
revoke all on function reject_post(uuid, text) from public, anon;
grant execute on function reject_post(uuid, text) to authenticated;

-- Notices about posts and accounts go through the same outbox as the news of leads.
alter table notification_deliveries
    add column topic text not null default 'leads' check (topic in ('leads', 'notices')),
    add column post_id uuid references social_posts (id) on delete set null;
create index notification_deliveries_post on notification_deliveries (post_id);
create index notification_deliveries_notices on notification_deliveries (created_at)
    where topic = 'notices' and status in ('pending', 'sending', 'unknown');
-- What is sent holds links that act for the one person whom they are sent to; the dashboard shows the rest.
revoke select on notification_deliveries from authenticated;
grant select (id, event_key, topic, recipient, channel, user_id, lead_id, post_id, status, attempts, last_error, sent_at,
              created_at, updated_at) on notification_deliveries to authenticated;
