-- The publish ledger of one client: what is due, what was begun, what became of it. Times are the database's own, so
-- that no worker's clock decides anything.

-- name: work_waiting^
-- What a look into this client could do within the next :ahead_seconds.
select exists (
    select from content_queue q join social_accounts a on a.id = q.account_id
    where q.status in ('scheduled', 'unknown', 'undo_requested')
      and q.due_at <= now() + make_interval(secs => :ahead_seconds)
      and (q.status <> 'scheduled' or a.status = 'connected' or a.status = 'blocked')
      and (q.status <> 'scheduled' or coalesce(a.paused_until, '-infinity') <= now())
) or exists (select from content_queue where status in ('claimed', 'calling') and run_id <> :run_id) as is_due,
exists (select from social_posts where status = 'approved' and scheduled_for is not null) as has_approved;

-- name: held_by
-- Runs that rows are claimed by or being called for; whether they live is asked at the master.
select distinct run_id from content_queue where status in ('claimed', 'calling') and run_id is not null;

-- name: reap_claimed!
-- Their run died before it called: nothing happened.
update content_queue set status = 'scheduled', run_id = null, lease_until = null
where status = 'claimed' and run_id = any(:run_ids);

-- name: reap_calling!
-- Their run died between intent and answer: whether the post is public is not known, and the platform is asked.
update content_queue
set status = 'unknown', due_at = now() + make_interval(secs => :settle_seconds), lease_until = null,
    error_class = 'ambiguous', last_error = 'the run was cut off during the call'
where status = 'calling' and run_id = any(:run_ids);

-- name: cancel_outdated
-- Rows whose post was edited, sent back or withdrawn since, and rows after a part that will never be public.
with outdated as (
    select q.id from content_queue q join social_posts p on p.id = q.post_id
    where (q.status = 'scheduled' or (q.status = 'needs_review' and q.attempts = 0))
      and (q.revision <> p.revision or p.status not in ('scheduled', 'published', 'partly_published'))
    union
    select q.id from content_queue q
    join content_queue before on before.post_id = q.post_id and before.account_id = q.account_id
        and before.revision = q.revision and before.part < q.part
    where (q.status = 'scheduled' or (q.status = 'needs_review' and q.attempts = 0))
      and before.status in ('refused', 'cancelled', 'dropped', 'undo_requested', 'undone')
)
update content_queue q
set status = 'cancelled', question = null, lease_until = null, last_error = 'the post was changed or withdrawn'
from outdated where q.id = outdated.id
returning q.id;

-- name: claim_due
-- Take what is due, of accounts that can publish, in the order of its time. A part waits until the one before it is
-- public. Returns what a call needs.
with due as (
    select q.id
    from content_queue q
    join social_accounts a on a.id = q.account_id
    join social_posts p on p.id = q.post_id and p.revision = q.revision
    where q.status = 'scheduled' and q.due_at <= now() and q.platform_id = any(:platforms)
      and (a.status = 'connected' or a.status = 'blocked') and coalesce(a.paused_until, '-infinity') <= now()
      and p.status in ('scheduled', 'partly_published', 'published')
      and (q.part = 0 or exists (
          select from content_queue before
          where before.post_id = q.post_id and before.account_id = q.account_id and before.revision = q.revision
            and before.part = q.part - 1 and before.status = 'published'))
    order by q.due_at, q.id
    limit :row_limit
    for update of q skip locked
), claimed as (
    update content_queue q
    set status = 'claimed', run_id = :run_id, lease_until = now() + make_interval(secs => :lease_seconds)
    from due where q.id = due.id
    returning q.*
)
select c.id, c.post_id, c.account_id, c.platform_id, c.part, c.part_kind, c.revision, c.publish_at, c.payload, c.progress,
       c.fingerprint, c.attempts, c.tries, c.late_ok, a.external_id, a.credentials,
       o.late_posts, o.late_after_minutes, o.media_bucket, now() as db_now,
       case when c.part_kind = 'comment' then root.platform_post_id else before.platform_post_id end as parent_id
from claimed c
join social_accounts a on a.id = c.account_id
cross join organizations o
left join content_queue before on c.part > 0 and before.post_id = c.post_id and before.account_id = c.account_id
    and before.revision = c.revision and before.part = c.part - 1
left join content_queue root on c.part > 0 and root.post_id = c.post_id and root.account_id = c.account_id
    and root.revision = c.revision and root.part = 0
order by c.publish_at, c.id;

-- name: store_progress!
-- What is ready at the platform; not ready yet goes back and comes again.
update content_queue q
set progress = given.progress, status = case when given.ready then 'claimed' else 'scheduled' end,
    due_at = now() + make_interval(secs => given.delay),
    tries = 0, lease_until = case when given.ready then q.lease_until end
from unnest(cast(:ids as uuid[]), cast(:progress as jsonb[]), cast(:ready as boolean[]), cast(:delays as float[]))
    as given (id, progress, ready, delay)
where q.id = given.id and q.status = 'claimed' and q.run_id = :run_id;

-- name: begin_calls
-- The intent, committed before the irreversible call. Only what this returns may be called: the rest was taken away,
-- edited or held meanwhile.
update content_queue q
set status = 'calling', attempts = attempts + 1, absences = 0, attempt_started_at = now(),
    first_attempt_at = coalesce(first_attempt_at, now()), payload_hash = given.payload_hash,
    lease_until = now() + make_interval(secs => :lease_seconds)
from unnest(cast(:ids as uuid[]), cast(:payload_hashes as text[])) as given (id, payload_hash), social_posts p
where q.id = given.id and q.status = 'claimed' and q.run_id = :run_id
  and p.id = q.post_id and p.revision = q.revision and p.status in ('scheduled', 'partly_published', 'published')
returning q.id, q.attempts;

-- name: record_outcomes
-- What became of the calls, and the log of them, in one statement. That a post is public is true whatever the row says
-- by now; everything else counts only for the run that holds the row. An id that another post of the account has
-- becomes a question about this row alone. Returns the rows that took it.
with given as (
    select * from unnest(
        cast(:ids as uuid[]), cast(:attempts as integer[]), cast(:statuses as text[]), cast(:delays as float[]),
        cast(:tries as integer[]), cast(:post_ids as text[]), cast(:urls as text[]), cast(:costs as numeric[]),
        cast(:classes as text[]), cast(:errors as text[]), cast(:questions as text[]), cast(:outcomes as text[]),
        cast(:http_statuses as integer[]), cast(:codes as text[]), cast(:request_ids as text[]), cast(:latencies as integer[])
    ) as g (id, attempt, status, delay, tries, platform_post_id, platform_url, cost_usd, error_class, error, question,
            outcome, http_status, code, request_id, latency_ms)
), strange as (
    select g.id from given g join content_queue q on q.id = g.id
    where exists (select from content_queue other
                  where other.account_id = q.account_id and other.platform_post_id = g.platform_post_id
                    and other.id <> g.id)
       or exists (select from given earlier join content_queue other on other.id = earlier.id
                  where earlier.platform_post_id = g.platform_post_id and other.account_id = q.account_id
                    and earlier.id < g.id)
), changed as (
    update content_queue q
    set status = case when s.id is null then g.status else 'needs_review' end,
        due_at = now() + make_interval(secs => g.delay), tries = g.tries,
        platform_post_id = case when s.id is null then coalesce(g.platform_post_id, q.platform_post_id) end,
        platform_url = coalesce(g.platform_url, q.platform_url), cost_usd = q.cost_usd + g.cost_usd,
        error_class = g.error_class, last_error = g.error, lease_until = null,
        question = case when s.id is null then g.question
                        else 'The network gave the id of another post (' || g.platform_post_id || '). Is this one there?' end,
        progress = case when g.code = 'invalid-media' then '{}' else q.progress end,
        published_at = case when g.status = 'published' and s.id is null then now() end
    from given g left join strange s on s.id = g.id
    where q.id = g.id and q.attempts = g.attempt
      and (q.run_id = :run_id and q.status in ('calling', 'claimed')
           or g.status = 'published' and q.status in ('calling', 'claimed', 'unknown', 'scheduled', 'needs_review'))
    returning q.id, q.post_id, q.status, q.part
), logged as (
    insert into publish_attempts (queue_id, attempt, step, started_at, finished_at, outcome, http_status, error_code,
                                  message, vendor_request_id, latency_ms)
    select g.id, greatest(g.attempt, 1), 'publish', now() - make_interval(secs => g.latency_ms / 1000.0), now(), g.outcome,
           g.http_status, g.code, g.error, g.request_id, g.latency_ms
    from given g join changed on changed.id = g.id where g.outcome is not null
)
select id, post_id, status, part from changed;

-- name: store_links!
update content_queue q set platform_url = given.url
from unnest(cast(:ids as uuid[]), cast(:urls as text[])) as given (id, url)
where q.id = given.id and q.platform_url is null;

-- name: take_unknown
-- Rows whose fate is to be read from the platform. The look is counted, and the row is left to this look for a while.
with due as (
    select q.id from content_queue q
    where q.status = 'unknown' and q.due_at <= now()
    order by q.due_at limit :row_limit for update skip locked
), taken as (
    update content_queue q set reads = reads + 1, due_at = now() + interval '3 minutes'
    from due where q.id = due.id
    returning q.*
)
select t.id, t.post_id, t.account_id, t.platform_id, t.part, t.part_kind, t.payload, t.progress, t.attempts, t.tries,
       t.reads, t.absences, t.first_attempt_at, t.publish_at, t.platform_post_id, t.error_class, a.external_id, a.credentials, a.status as account_status,
       case when t.part_kind = 'comment' then root.platform_post_id else before.platform_post_id end as parent_id
from taken t
join social_accounts a on a.id = t.account_id
left join content_queue before on t.part > 0 and before.post_id = t.post_id and before.account_id = t.account_id
    and before.revision = t.revision and before.part = t.part - 1
left join content_queue root on t.part > 0 and root.post_id = t.post_id and root.account_id = t.account_id
    and root.revision = t.revision and root.part = 0
order by t.first_attempt_at, t.id;

-- name: taken_ids
-- Ids at the platforms that rows of these accounts own already; a row may have waited for its time ever so long.
select account_id, platform_post_id from content_queue
where account_id = any(:account_ids) and platform_post_id is not null and updated_at > now() - interval '120 days';

-- name: owner_of$
-- The row that owns what a platform names as already there.
select id from content_queue where account_id = :account_id and platform_post_id = :platform_post_id;

-- name: settle_unknown
-- What reading the platform showed; only for the look that took the row.
with given as (
    select * from unnest(
        cast(:ids as uuid[]), cast(:reads as integer[]), cast(:statuses as text[]), cast(:delays as float[]),
        cast(:tries as integer[]), cast(:post_ids as text[]), cast(:urls as text[]), cast(:times as timestamptz[]),
        cast(:errors as text[]), cast(:questions as text[]), cast(:outcomes as text[])
    ) as g (id, reads, status, delay, tries, platform_post_id, platform_url, published_at, error, question, outcome)
), changed as (
    update content_queue q
    set status = g.status, due_at = now() + make_interval(secs => g.delay),
        platform_post_id = coalesce(g.platform_post_id, q.platform_post_id),
        platform_url = coalesce(g.platform_url, q.platform_url),
        published_at = case when g.status = 'published' then coalesce(g.published_at, now()) end,
        tries = g.tries, absences = q.absences + case when g.outcome = 'not_found' then 1 else 0 end,
        last_error = g.error, question = g.question
    from given g where q.id = g.id and q.status = 'unknown' and q.reads = g.reads
    returning q.id, q.post_id, q.status, q.part
), logged as (
    insert into publish_attempts (queue_id, attempt, step, started_at, finished_at, outcome, message)
    select g.id, greatest(q.attempts, 1), 'read back', now(), now(), g.outcome, g.error
    from given g join content_queue q on q.id = g.id where g.outcome is not null
)
select id, post_id, status, part from changed;

-- name: hold_rows!
-- Put claimed rows away without a call: late ones that a person is asked about, or that the client lets drop.
update content_queue q
set status = given.status, question = given.question, last_error = given.reason, lease_until = null
from unnest(cast(:ids as uuid[]), cast(:statuses as text[]), cast(:questions as text[]), cast(:reasons as text[]))
    as given (id, status, question, reason)
where q.id = given.id and q.status = 'claimed' and q.run_id = :run_id;

-- name: take_undos
with due as (
    select id from content_queue where status = 'undo_requested' and due_at <= now()
    order by due_at limit :row_limit for update skip locked
)
update content_queue q set due_at = now() + interval '3 minutes', tries = tries + 1
from due, social_accounts a
where q.id = due.id and a.id = q.account_id
returning q.id, q.account_id, q.platform_id, q.platform_post_id, q.tries, a.external_id, a.credentials;

-- name: settle_undos!
with given as (
    select * from unnest(cast(:ids as uuid[]), cast(:statuses as text[]), cast(:delays as float[]), cast(:errors as text[]),
                         cast(:questions as text[])) as g (id, status, delay, error, question)
), logged as (
    insert into publish_attempts (queue_id, attempt, step, started_at, finished_at, outcome, message)
    select g.id, greatest(q.attempts, 1), 'undo', now(), now(), 'undone', g.error
    from given g join content_queue q on q.id = g.id where g.status = 'undone'
)
update content_queue q
set status = g.status, due_at = now() + make_interval(secs => g.delay), last_error = g.error, question = g.question,
    undone_at = case when g.status = 'undone' then now() end
from given g where q.id = g.id and q.status = 'undo_requested';

-- name: close_posts!
-- A post has the state of its rows once none of them is open.
with counted as (
    select q.post_id,
           count(*) filter (where q.status = 'published') as published,
           count(*) filter (where q.status in ('refused', 'dropped', 'cancelled', 'undone')) as ended,
           count(*) filter (where q.status = 'undone') as undone, count(*) as total
    from content_queue q join social_posts p on p.id = q.post_id and p.revision = q.revision
    where p.status in ('scheduled', 'partly_published')
       or p.id in (select post_id from content_queue where status = 'undone' and undone_at > now() - interval '1 day')
    group by q.post_id
), decided as (
    select post_id, case when published = total then 'published' when published + ended = total and published > 0
        then 'partly_published' when ended = total and undone > 0 then 'withdrawn'
        when ended = total then 'failed' end as status
    from counted
)
update social_posts p set status = d.status
from decided d where p.id = d.post_id and d.status is not null and p.status <> d.status;

-- name: next_due^
-- When this client is to be looked into next, and how far off that is by the database's clock.
with times as (
    select case q.status
        when 'scheduled' then greatest(
            q.due_at, coalesce(a.paused_until, '-infinity'),
            case when q.platform_id = any(:closed) then now() + make_interval(secs => :reopens_in) else '-infinity' end)
        when 'claimed' then greatest(q.lease_until, now()) when 'calling' then greatest(q.lease_until, now())
        else q.due_at end as at
    from content_queue q join social_accounts a on a.id = q.account_id
    where q.status in ('claimed', 'calling', 'unknown', 'undo_requested')
       or (q.status = 'scheduled' and a.status in ('connected', 'blocked') and (q.part = 0 or exists (
            select from content_queue before
            where before.post_id = q.post_id and before.account_id = q.account_id and before.revision = q.revision
              and before.part = q.part - 1 and before.status = 'published')))
)
select min(at) as at, extract(epoch from min(at) - now())::float as in_seconds from times;

-- name: pause_account!
update social_accounts
set paused_until = greatest(paused_until, :until), rate_limit = :rate_limit
where id = :account_id;
