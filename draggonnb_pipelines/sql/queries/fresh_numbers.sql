-- Clients' wishes for fresh numbers, in the inbox: received, claimed by a run, done. At most one an hour is worked on;
-- whatever came meanwhile is served by the same numbers.

-- name: last_taken^
-- When an organization's last wish was taken up, and whether one waits now.
select max(finished_at) filter (where state = 'done') as last_taken_at,
       coalesce(bool_or(state = 'claimed' and lease_until >= :now), false) as is_at_work
from inbox
where topic = 'analytics' and organization_id = :organization_id;

-- name: count_askers$
-- Whose wishes can be taken up now.
select count(distinct i.organization_id)
from inbox i join organizations o on o.id = i.organization_id
where i.topic = 'analytics' and o.status = 'active' and o.held_since is null
  and (i.state = 'received' or (i.state = 'claimed' and i.lease_until < :now))
  and not exists (
      select from inbox d
      where d.topic = 'analytics' and d.organization_id = i.organization_id
        and ((d.state = 'done' and d.finished_at > cast(:now as timestamptz) - make_interval(secs => :pause_seconds))
             or (d.state = 'claimed' and d.lease_until >= :now))
  );

-- name: lock_requests^
-- Until the transaction ends: two runs at once would share an organization's wishes out between them.
select pg_advisory_xact_lock(hashtextextended('fresh_numbers', 25));

-- name: take_requests
-- Claim all wishes of those who may be served now; one run at a time for each organization.
with free as (
    select i.id
    from inbox i join organizations o on o.id = i.organization_id
    where i.topic = 'analytics' and o.status = 'active' and o.held_since is null
      and (i.state = 'received' or (i.state = 'claimed' and i.lease_until < :now))
      and not exists (
          select from inbox d
          where d.topic = 'analytics' and d.organization_id = i.organization_id
            and ((d.state = 'done' and d.finished_at > cast(:now as timestamptz) - make_interval(secs => :pause_seconds))
                 or (d.state = 'claimed' and d.lease_until >= :now))
      )
    order by i.id
    for update of i
), taken as (
    update inbox
    set state = 'claimed', run_id = :run_id, batch_id = coalesce(batch_id, gen_random_uuid()),
        attempts = attempts + 1, lease_until = cast(:now as timestamptz) + make_interval(secs => :lease_seconds)
    from free
    where inbox.id = free.id
    returning inbox.organization_id
)
select distinct o.slug from taken join organizations o on o.id = taken.organization_id order by o.slug;

-- name: held_by
-- Whose wishes a run has claimed.
select distinct o.slug
from inbox i join organizations o on o.id = i.organization_id
where i.topic = 'analytics' and i.state = 'claimed' and i.run_id = :run_id
order by o.slug;

-- name: close_requests
-- Their numbers are there.
update inbox
set state = 'done', finished_at = :now, lease_until = null, last_error = null
from organizations o
where o.id = inbox.organization_id and inbox.topic = 'analytics' and inbox.state = 'claimed' and inbox.run_id = :run_id
  and o.slug = any(:slugs)
returning inbox.id;
