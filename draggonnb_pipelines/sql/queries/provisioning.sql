-- Who is being set up, and the ledger of what was made for whom.

-- name: clients_of
-- Organizations with what provisioning needs of them; without a row in provisionings there is no owner to welcome.
select o.id, o.slug, o.name, o.status, o.timezone, o.locale, o.database_name, o.dsn_sealed, o.data_key_wrapped,
       o.plan_key, coalesce(p.owner_name, '') as owner_name, coalesce(p.owner_email, '') as owner_email, p.owner_phone,
       p.state, p.run_id, coalesce(p.attempts, 0) as attempts
from organizations o left join provisionings p on p.organization_id = o.id
where o.slug = any(:slugs) order by o.slug;

-- name: count_waiting$
-- Clients that a run may take up now; the sensor asks.
select count(*) from provisionings where state = 'waiting' and not_before <= now() and run_id is null;

-- name: count_open_accounts$
-- Notices that are to be judged or applied now, and orders to PayFast that are to be carried out.
select (select count(*) from payments where state in ('received', 'verified') and not_before <= now())
     + (select count(*) from subscription_orders where state in ('waiting', 'calling', 'unknown') and not_before <= now());

-- name: holding_runs
-- The runs that hold clients, whether or not they live.
select distinct run_id from provisionings where run_id is not null;

-- name: free_clients!
-- What a dead run held is free again, and what it had not finished waits: at first for nothing, then longer each time,
-- since a client that kills its runs must not have them one after the other for ever.
update provisionings
set state = case when state <> 'running' then state when attempts + 1 >= :max_attempts then 'failed' else 'waiting' end,
    last_error = case when state = 'running' then 'the run that set it up died' else last_error end,
    not_before = case when state = 'running' then now() + make_interval(secs => 30 * attempts) else not_before end,
    attempts = case when state = 'running' then attempts + 1 else attempts end, run_id = null
where run_id = any(:run_ids);

-- name: take_waiting
-- Due clients become this run's, the longest waiting first.
with taken as (
    update provisionings
    set state = 'running', run_id = :run_id, started_at = coalesce(started_at, :now)
    where organization_id in (
        select organization_id from provisionings
        where state = 'waiting' and not_before <= :now and run_id is null
        order by not_before, created_at limit :row_limit
        for update skip locked
    )
    returning organization_id
)
select o.slug from taken t join organizations o on o.id = t.organization_id order by o.slug;

-- name: take_named!
-- The named clients become this run's where no run holds them; one that is done stays so.
update provisionings p
set state = case when p.state in ('waiting', 'failed') then 'running' else p.state end, run_id = :run_id,
    started_at = coalesce(p.started_at, :now)
from organizations o
where o.id = p.organization_id and o.slug = any(:slugs) and p.run_id is null
  and p.state in ('waiting', 'failed', 'done');

-- name: let_go!
-- This run has nothing more to do for a client. One that is done stays so.
update provisionings p
set state = case when p.state = 'done' then 'done' else :state end, run_id = null, not_before = :not_before,
    last_step = :step, last_error = cast(:reason as text),
    attempts = case when :counts then p.attempts + 1 else p.attempts end
where p.organization_id = :organization_id and p.run_id = :run_id;

-- name: note_progress!
-- A step that stood before is no progress: the count of failures is of the furthest step that was tried.
update provisionings set attempts = 0, last_step = :step, last_error = null
where organization_id = any(:organization_ids) and run_id = :run_id
  and coalesce(array_position(cast(:steps as text[]), last_step), 0) <= array_position(cast(:steps as text[]), :step);

-- name: steps_done
-- Which steps have anything that is ready, by slug.
select o.slug, array_agg(distinct r.step) as steps
from organizations o join stack_resources r on r.organization_id = o.id
where o.slug = any(:slugs) and r.state = 'ready' group by o.slug;

-- name: finish_clients!
-- Those of which every step stands are done, and their organizations active, unless the subscription has ended
-- meanwhile; the others wait for the rest.
with standing as (
    select r.organization_id
    from stack_resources r
    where r.organization_id = any(:organization_ids) and r.state <> 'removed'
    group by r.organization_id
    having count(distinct r.step) filter (where r.state = 'ready') = cardinality(cast(:steps as text[]))
       and bool_and(r.state = 'ready')
), done as (
    update provisionings p
    set state = case when s.organization_id is null then 'waiting' else 'done' end, run_id = null, last_error = null,
        -- What is missing although every step came through is not there a moment later either.
        not_before = case when s.organization_id is null then :now + interval '5 minutes' else p.not_before end,
        finished_at = case when s.organization_id is null then p.finished_at else coalesce(p.finished_at, :now) end
    from provisionings mine left join standing s on s.organization_id = mine.organization_id
    where mine.organization_id = p.organization_id and p.organization_id = any(:organization_ids)
      and p.run_id = :run_id and p.state in ('running', 'done')
    returning p.organization_id, p.state
)
update organizations o
set status = case when (select s.suspended_at is not null from subscriptions s
                        where s.organization_id = o.id order by s.created_at desc, s.id limit 1)
                  then 'suspended' else 'active' end
from done d where d.organization_id = o.id and d.state = 'done' and o.status = 'provisioning';

-- name: plan_resource!
-- The intent. A row that is there already stays as it is; one that was removed begins anew.
insert into stack_resources (organization_id, step, name, vendor, mark, details, secrets_sealed, monthly_cents, run_id)
values (:organization_id, :step, :name, :vendor, :mark, :details, :secrets_sealed, :monthly_cents, :run_id)
on conflict (organization_id, step, name) do update
set state = 'intent', vendor_id = null, details = excluded.details, secrets_sealed = excluded.secrets_sealed,
    attempts = 0, attempt_started_at = null, last_error = null, ready_at = null, removed_at = null, url = null
where stack_resources.state = 'removed';

-- name: resource^
select id, organization_id, step, vendor, name, mark, state, vendor_id, url, attempt_started_at as attempted_at,
       attempts, monthly_cents, last_error, created_at, ready_at, details, secrets_sealed
from stack_resources where organization_id = :organization_id and step = :step and name = :name;

-- name: resources_of
select id, organization_id, step, vendor, name, mark, state, vendor_id, url, attempt_started_at as attempted_at,
       attempts, monthly_cents, last_error, created_at, ready_at, details, secrets_sealed
from stack_resources where organization_id = :organization_id order by created_at, name;

-- name: begin_call$
-- Committed before the call that makes the thing; nothing where another call was begun since the row was read, or the
-- thing is being taken down.
update stack_resources
set state = 'calling', attempts = attempts + 1, attempt_started_at = :now, run_id = :run_id, last_error = null
where id = :id and attempts = :attempts and state not in ('removing', 'removed')
returning id;

-- name: resource_ready!
update stack_resources
set state = 'ready', vendor_id = :vendor_id, url = coalesce(:url, url), details = details || :details,
    secrets_sealed = coalesce(:secrets_sealed, secrets_sealed), last_error = null,
    ready_at = coalesce(ready_at, :now)
where id = :id;

-- name: resource_noted!
-- What is known on the way: the vendor's id before the thing is of use.
update stack_resources
set vendor_id = coalesce(:vendor_id, vendor_id), url = coalesce(:url, url), details = details || :details,
    secrets_sealed = coalesce(:secrets_sealed, secrets_sealed)
where id = :id;

-- name: resource_troubled!
update stack_resources set state = :state, last_error = :reason where id = :id and state <> 'ready';

-- name: stopped_aborts
-- Removals that were begun and have not come to their end. Who leaves is held in the same state, with days of grace,
-- and so is who stays after all, until everything of it runs again.
select o.slug from provisionings p join organizations o on o.id = p.organization_id
where p.state = 'aborting'
  and not exists (select from offboardings f
                  where f.organization_id = p.organization_id and (f.state <> 'withdrawn' or f.finished_at is null))
order by p.updated_at;

-- name: stuck_clients
-- Who needs a person, and who has waited for more than an hour.
select o.slug, p.state, p.last_step, p.last_error, p.updated_at
from provisionings p join organizations o on o.id = p.organization_id
where (p.state = 'failed'
       or (p.state in ('waiting', 'running', 'aborting') and p.created_at < now() - interval '1 hour'))
  and not exists (select from offboardings f
                  where f.organization_id = p.organization_id and (f.state <> 'withdrawn' or f.finished_at is null))
order by p.created_at;

-- name: stuck_leavers
-- Whose export, erasure or return has not come to its end for an hour: nothing but time and a person mends it.
select o.slug, f.state, 'leaving' as last_step, f.last_error, f.updated_at
from offboardings f join organizations o on o.id = f.organization_id
where (f.state = 'exporting' and f.created_at < now() - interval '1 hour')
   or (f.state in ('grace', 'erasing') and f.erase_after < now() - interval '2 hours')
   or (f.state = 'withdrawn' and f.finished_at is null and f.updated_at < now() - interval '1 hour')
order by f.created_at;

-- name: unclear_notices
-- Notices that wait for a person, and others that wait for too long; orders, agreements and days of PayFast's history
-- that do; then refused notices of the last day: a flood of those hides nothing.
select * from (
    select received_at, state, m_payment_id, host(source_ip) as source_ip, reason from payments
    where state = 'needs_review' or (state = 'rejected' and received_at > now() - interval '1 day')
       or (state in ('received', 'verified') and received_at < now() - interval '1 hour')
    union all
    select q.created_at, q.state, o.slug, null, 'order to ' || q.verb || ': ' || coalesce(q.last_error, 'not taken up')
    from subscription_orders q
    join subscriptions s on s.id = q.subscription_id join organizations o on o.id = s.organization_id
    where q.state in ('waiting', 'calling', 'unknown') and q.created_at < now() - interval '1 day'
    union all
    select s.paid_at, 'no token', o.slug, null, 'its first notice never came: look after its agreement at PayFast'
    from subscriptions s join organizations o on o.id = s.organization_id
    where s.payfast_token_sha256 is null and s.cancelled_at is null and s.status <> 'expired'
    union all
    select s.paid_at, 'still charged', o.slug, null, 'the client has left: draggonnb billing cancel ' || o.slug
    from subscriptions s join organizations o on o.id = s.organization_id
    where o.status = 'closed' and s.cancelled_at is null and s.status <> 'expired'
    union all
    select max(read_at), 'not read', 'PayFast''s history', null, 'missed payments are not found; see the daily run'
    from payfast_history_days having max(read_at) < now() - interval '2 days'
) unclear
order by (state = 'rejected'), received_at desc limit 100;
