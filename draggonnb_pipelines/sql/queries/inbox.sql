-- The inbox of webhook deliveries. A row's state is the only memory of what is still to be done:
-- received -> claimed (lease) -> done, or dead after too many claims without progress.

-- name: store_deliveries
-- What the API received since the last commit, as one statement; a repeat adds nothing and returns nothing.
insert into inbox (organization_id, topic, source, delivery_id, content_type, raw_sealed, parsed_sealed)
select * from unnest(cast(:organization_ids as uuid[]), cast(:topics as text[]), cast(:sources as text[]),
                     cast(:delivery_ids as text[]), cast(:content_types as text[]), cast(:raws as bytea[]),
                     cast(:parsed as bytea[]))
on conflict (organization_id, topic, source, delivery_id) do nothing
returning id, organization_id, topic, source, delivery_id;

-- name: find_deliveries
-- The rows of repeats. A statement of its own: its snapshot is younger than the conflict that it explains.
select i.id, i.organization_id, i.topic, i.source, i.delivery_id, i.raw_sealed
from unnest(cast(:organization_ids as uuid[]), cast(:topics as text[]), cast(:sources as text[]),
            cast(:delivery_ids as text[])) as given (organization_id, topic, source, delivery_id)
join inbox i using (organization_id, topic, source, delivery_id);

-- name: dispatch_batch
-- Give the waiting rows of a lane, and those whose lease ran out, to a new batch: at most :row_limit rows, the
-- organizations taking turns. The lease covers the run's start. The lanes:
--   ordinary  of who has few rows open: a batch of them is done soon
--   crowd     of who has more than :crowd_rows open, so that one client's thousand leads hold up nobody else's one
--   suspects  rows that were in two fruitless attempts: in smaller batches with each attempt, so that a row that kills
--             its run is alone before it is buried
-- Before many come in the statistics know of none, so that a join of what waits would be a nested loop: there is none.
with unfinished as (
    select id, organization_id, received_at, attempts,
           (state = 'received' and not_before <= now()) or (state = 'claimed' and lease_until < now()) as is_waiting,
           count(*) over (partition by organization_id) > :crowd_rows as is_crowd
    from inbox
    where state in ('received', 'claimed') and topic = :topic
), of_lane as (
    select id, organization_id, received_at, attempts from unfinished
    where is_waiting and cast(:lane as text) = case when attempts >= 2 then 'suspects'
                                                    when is_crowd then 'crowd' else 'ordinary' end
), turns as (
    select w.id, row_number() over (partition by w.organization_id order by w.received_at) as turn, w.received_at
    from of_lane w
    join organizations o on o.id = w.organization_id
    where o.status = 'active' and o.held_since is null and mod(o.shard, :shards) = :shard
), chosen as (
    select i.id from inbox i
    where i.id = any(array(
        select id from turns order by turn, received_at
        limit (select greatest(floor(:row_limit / power(4, case when :lane = 'suspects' then max(attempts) else 0 end)), 1)
               from of_lane)))
      and (i.state = 'received' or (i.state = 'claimed' and i.lease_until < now()))
    for update skip locked
)
update inbox
set state = 'claimed', batch_id = :batch_id, lane = :lane, run_id = null,
    lease_until = now() + make_interval(secs => :lease_seconds)
from chosen
where inbox.id = chosen.id
returning inbox.id;

-- name: keep_for_run!
-- Batches whose runs wait for a place: nobody else is to be given their rows.
update inbox set lease_until = now() + make_interval(secs => :lease_seconds)
where batch_id = any(:batch_ids) and state = 'claimed' and run_id is null;

-- name: bury_hopeless!
-- A row that was claimed too often without any progress kills its worker or its step: out of the way, with the reason.
update inbox
set state = 'dead', finished_at = now(),
    last_error = coalesce(last_error, 'its runs ended ' || attempts || ' times without progress and without an error')
where topic = :topic and attempts >= :max_attempts
  and (state = 'received' or (state = 'claimed' and lease_until < now()));

-- name: claim_batch!
-- A run takes its batch. A re-execution also takes what an earlier run of the batch gave back or lost.
-- For rows that were never worked on this is their first attempt at the first stage; see begin_stage.
update inbox
set state = 'claimed', run_id = :run_id, attempts = attempts + case when stage = 0 then 1 else 0 end,
    lease_until = now() + make_interval(secs => :lease_seconds)
where batch_id = :batch_id
  and (state in ('received', 'dead') or (state = 'claimed' and (run_id is null or lease_until < now())));

-- name: extend_lease!
update inbox set lease_until = now() + make_interval(secs => :lease_seconds)
where batch_id = :batch_id and run_id = :run_id and state = 'claimed';

-- name: begin_stage!
-- An attempt is counted when its stage begins, and for the rows that stand before it: when a run is killed, the rows
-- of the batch that have passed this stage, or not come to their own yet, are not to blame.
update inbox set attempts = attempts + 1
where batch_id = :batch_id and run_id = :run_id and state = 'claimed' and stage = :stage - 1;

-- name: batch_rows
-- What a run still holds of its batch.
select i.id as inbox_id, i.source, i.delivery_id, i.received_at, i.parsed_sealed, i.lead_id, i.stage, i.attempts,
       i.organization_id, o.slug
from inbox i join organizations o on o.id = i.organization_id
where i.batch_id = :batch_id and i.run_id = :run_id and i.state = 'claimed'
order by o.slug, i.received_at;

-- name: batch_keys
-- Every organization and day of a batch, whatever became of its rows: (slug, day, failed, reason).
select o.slug, (i.received_at at time zone 'UTC')::date as day,
       bool_or(i.state in ('received', 'dead')) as failed,
       max(i.last_error) filter (where i.state in ('received', 'dead')) as reason
from inbox i join organizations o on o.id = i.organization_id
where i.batch_id = :batch_id
group by 1, 2
order by 1, 2;

-- name: advance_rows!
-- Rows that finished a stage: progress sets the count of fruitless claims back.
update inbox
set stage = greatest(stage, :stage), attempts = case when stage < :stage then 0 else attempts end
where id = any(:ids) and run_id = :run_id and state = 'claimed';

-- name: link_leads!
update inbox set lead_id = linked.lead_id
from unnest(cast(:ids as uuid[]), cast(:lead_ids as uuid[])) as linked (id, lead_id)
where inbox.id = linked.id;

-- name: finish_rows!
update inbox
set state = 'done', finished_at = now(), lease_until = null, last_error = null
where id = any(:ids) and run_id = :run_id and state = 'claimed';

-- name: release_rows!
-- Give rows back to wait, out of the step of :stage. With :counts false the attempt does not count (the fault was not
-- the row's). Rows that had passed this stage before were not counted when it began, so they are now.
with given as (
    select id, greatest(attempts + case when :counts and stage <> :stage - 1 then 1
                                        when not :counts and stage = :stage - 1 then -1 else 0 end, 0) as tries
    from inbox where id = any(:ids) and run_id = :run_id and state = 'claimed'
    for update
)
update inbox
set state = case when :counts and tries >= :max_attempts then 'dead' else 'received' end,
    finished_at = case when :counts and tries >= :max_attempts then now() end,
    attempts = tries, lease_until = null, last_error = :error,
    -- What does not count has nothing to grow its delay by but its age: a tenth of it, five minutes at most.
    not_before = now() + greatest(
        make_interval(secs => :delay_seconds),
        case when :counts then interval '0' else least((now() - received_at) / 10, interval '5 minutes') end)
from given
where inbox.id = given.id;

-- name: release_run!
-- A run has ended for certain: what it held, and what it was given and never came to claim, may be taken again, later
-- with each attempt: a fault that is nobody's (a bad release, a full disk) must not use up all attempts in a minute.
update inbox
set state = 'received', lease_until = null,
    not_before = now() + case when attempts < 2 then interval '0'
                              else make_interval(secs => :base_seconds * power(4, attempts - 2)) end
where state = 'claimed' and (run_id = :run_id or (batch_id = cast(:batch_id as uuid) and run_id is null));

-- name: waiting_summary^
-- For freshness: how many rows of active organizations wait for a run, how many of them because their client is being
-- moved, and since when the oldest could have been done.
select count(*) as waiting, count(*) filter (where o.held_since is not null) as held,
       min(greatest(i.received_at, i.not_before)) as oldest
from inbox i join organizations o on o.id = i.organization_id
where i.state in ('received', 'claimed') and i.topic in ('leads', 'content') and o.status = 'active' and i.not_before <= now();

-- name: list_rows
select i.id, o.slug, i.topic, i.source, i.delivery_id, i.state, i.stage, i.attempts, i.received_at, i.not_before,
       i.last_error, i.lead_id
from inbox i join organizations o on o.id = i.organization_id
where (cast(:state as text) is null or i.state = :state) and (cast(:slug as text) is null or o.slug = :slug)
order by i.received_at desc
limit :row_limit;

-- name: replay_rows
-- Put dead (or, with :ids, any finished) rows back to the start of the queue; their effects are keyed, so none repeats.
-- Without its body, which its retention or an erasure has taken, a row has nothing to be worked on.
update inbox
set state = 'received', stage = 0, attempts = 0, not_before = now(), lease_until = null, run_id = null, batch_id = null,
    finished_at = null
from organizations o
where o.id = inbox.organization_id
  and inbox.state in ('dead', 'done') and inbox.parsed_sealed is not null
  and (inbox.id = any(:ids) or (cast(:slug as text) is not null and o.slug = :slug and inbox.state = 'dead'))
returning inbox.id;

-- name: channel_alive_at$
-- When a topic last brought something that was worked off, since :since: proof that the vendor's webhooks reach us.
select max(received_at) from inbox where topic = :topic and received_at > :since and state = 'done';

-- name: waiting_deliveries
-- Deliveries of a topic that are worked off in place, without a batch: oldest first.
select id, parsed_sealed, received_at from inbox
where topic = :topic and organization_id = :organization_id and state = 'received'
order by received_at
limit :row_limit;

-- name: close_deliveries!
update inbox set state = 'done', finished_at = now(), attempts = attempts + 1 where id = any(:ids) and state = 'received';

-- name: bury_deliveries!
-- Those among them that cannot be applied: out of the way, each with its reason.
update inbox
set state = 'dead', finished_at = now(), attempts = attempts + 1, last_error = buried.error
from unnest(cast(:ids as uuid[]), cast(:errors as text[])) as buried (id, error)
where inbox.id = buried.id and inbox.state = 'received';

-- name: organizations_waiting
-- Whose deliveries of a topic wait since before :before; not who is being moved to another server.
select distinct i.organization_id from inbox i join organizations o on o.id = i.organization_id
where i.topic = :topic and i.state = 'received' and i.received_at < :before
  and o.held_since is null and (o.status = 'active' or not :active_only);

-- name: count_open_batches$
-- Batches of a lane that runs of this shard hold or are about to take.
select count(distinct i.batch_id) from inbox i join organizations o on o.id = i.organization_id
where i.topic = :topic and i.state = 'claimed' and i.lease_until >= now() and mod(o.shard, :shards) = :shard
  and i.lane = :lane;

-- name: one_row^
select id, state, stage, run_id, lead_id, received_at, finished_at, last_error from inbox where id = :id;
