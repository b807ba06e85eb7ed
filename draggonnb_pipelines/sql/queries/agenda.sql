-- Who is to be looked into next, which run publishes, and what all clients share at a platform. All in the master.

-- name: note_due!
-- Something of this client becomes due at :at. Written before the thing itself.
insert into publishing_agenda (organization_id, next_due_at, notes) values (:organization_id, :at, 1)
on conflict (organization_id) do update
set next_due_at = least(publishing_agenda.next_due_at, excluded.next_due_at), notes = publishing_agenda.notes + 1;

-- name: due_organizations
-- Clients of this shard with something due, the longest waiting first; not who is being moved to another server.
select o.id, o.slug, o.name, o.status, o.timezone, o.locale, o.database_name, o.dsn_sealed, o.data_key_wrapped, a.notes
from publishing_agenda a join organizations o on o.id = a.organization_id
where a.next_due_at <= now() + make_interval(secs => :ahead_seconds) and o.status = 'active' and o.held_since is null
  and mod(o.shard, :shards) = :shard
order by a.next_due_at, o.slug
limit :row_limit;

-- name: agenda_of
-- Chosen clients with their notes, those who never had an agenda too; not who is being moved to another server.
select o.id, o.slug, o.name, o.status, o.timezone, o.locale, o.database_name, o.dsn_sealed, o.data_key_wrapped,
       coalesce(a.notes, 0) as notes
from organizations o left join publishing_agenda a on a.organization_id = o.id
where o.status = 'active' and o.held_since is null and (cast(:slugs as text[]) is null or o.slug = any(:slugs))
  and mod(o.shard, :shards) = :shard
order by o.slug;

-- name: count_due$
select count(*) from publishing_agenda a join organizations o on o.id = a.organization_id
where a.next_due_at <= now() + make_interval(secs => :ahead_seconds) and o.status = 'active' and o.held_since is null
  and mod(o.shard, :shards) = :shard;

-- name: held_organizations
select slug from organizations where held_since is not null;

-- name: settle_agenda!
-- What a look found to be next; one with trouble comes again in a minute, and later with each look in vain, an hour at
-- most. A note that came during the look keeps its earlier time: the notes that were seen stand in the row to insert.
insert into publishing_agenda (organization_id, next_due_at, failures, notes)
select given.id,
       case when has_trouble then now() + least(interval '1 minute' * power(2, least(coalesce(a.failures, 0), 10)),
                                                interval '1 hour')
            else coalesce(at, 'infinity') end,
       case when has_trouble then coalesce(a.failures, 0) + 1 else 0 end,
       given.seen_notes
from unnest(cast(:organization_ids as uuid[]), cast(:times as timestamptz[]), cast(:troubles as boolean[]),
            cast(:seen_notes as bigint[])) as given (id, at, has_trouble, seen_notes)
left join publishing_agenda a on a.organization_id = given.id
order by given.id
on conflict (organization_id) do update
set failures = excluded.failures,
    next_due_at = case when publishing_agenda.notes = excluded.notes then excluded.next_due_at
                       else least(publishing_agenda.next_due_at, excluded.next_due_at) end;

-- name: oldest_due^
-- For the check that nothing due is passed over in silence; not who is being moved to another server.
select count(*) as waiting, min(a.next_due_at) as oldest
from publishing_agenda a join organizations o on o.id = a.organization_id
where a.next_due_at <= now() and o.status = 'active' and o.held_since is null;

-- name: live_runs
-- Those of :run_ids whose process lives: it holds a lock for as long as its connection stands.
select r.run_id from unnest(cast(:run_ids as text[])) as r (run_id)
where exists (
    select from pg_locks l
    where l.locktype = 'advisory' and l.granted and l.objsubid = 1
      and l.database = (select oid from pg_database where datname = current_database())
      and (l.classid::bigint << 32) | l.objid::bigint = hashtextextended(r.run_id, 17)
);

-- name: ask_for_run$
-- A run for this shard, unless one has been asked for in the last :start_seconds or is at work.
insert into publisher_shards (shard, run_id, requested_at) values (:shard, null, now())
on conflict (shard) do update set run_id = null, requested_at = now()
where not (publisher_shards.run_id is null
           and publisher_shards.requested_at > now() - make_interval(secs => :start_seconds))
  and not (publisher_shards.run_id = any(cast(:live_runs as text[])))
returning shard;

-- name: shard_runs
select shard, run_id from publisher_shards where shard = any(:shards) and run_id is not null;

-- name: take_shard!
insert into publisher_shards (shard, run_id) values (:shard, :run_id)
on conflict (shard) do update set run_id = excluded.run_id;

-- name: leave_shard!
update publisher_shards set run_id = null, requested_at = '-infinity' where shard = :shard and run_id = :run_id;

-- name: drop_request!
-- The run that was asked for has found nothing to do: what is noted now need not wait for its time to be over.
update publisher_shards set requested_at = '-infinity' where shard = :shard and run_id is null;

-- name: app_quotas
select vendor, remaining, used_percent, resume_at, stopped_reason from app_quotas;

-- name: note_quota!
insert into app_quotas (vendor, remaining, used_percent, resume_at)
values (:vendor, :remaining, :used_percent, :resume_at)
on conflict (vendor) do update
set remaining = excluded.remaining, used_percent = excluded.used_percent,
    resume_at = greatest(case when app_quotas.resume_at > now() then app_quotas.resume_at end, excluded.resume_at);

-- name: stop_vendor!
insert into app_quotas (vendor, stopped_reason) values (:vendor, :reason)
on conflict (vendor) do update set stopped_reason = excluded.stopped_reason;

-- name: resume_vendor!
update app_quotas set stopped_reason = null, resume_at = null where vendor = :vendor;
