-- Whose posts are read next, whose day has no snapshot and whose week no report yet. All in the master.

-- name: note_measuring!
-- Posts of these clients are to be read from :at on.
insert into analytics_agenda (organization_id, measure_at, notes)
select id, :at, 1 from unnest(cast(:organization_ids as uuid[])) as given (id) order by id
on conflict (organization_id) do update
set measure_at = least(analytics_agenda.measure_at, excluded.measure_at), notes = analytics_agenda.notes + 1;

-- name: due_organizations
-- The longest waiting first; not who is being moved to another server.
select n.slug, n.is_due, n.lacks_snapshot
from app.numbers_due(:now) n join organizations o on o.id = n.organization_id
where o.held_since is null
order by n.measure_at nulls last, n.slug limit :row_limit;

-- name: count_due$
select count(*) from app.numbers_due(:now) n join organizations o on o.id = n.organization_id where o.held_since is null;

-- name: due_and_asked^
-- By the database's clock: who is due, and whose wishes for fresh numbers can be taken up (`fresh_numbers.sql`).
select (select count(*) from app.numbers_due(now()) n join organizations h on h.id = n.organization_id
        where h.held_since is null) as due,
       count(distinct i.organization_id) as asked
from inbox i join organizations o on o.id = i.organization_id
where i.topic = 'analytics' and o.status = 'active' and o.held_since is null
  and (i.state = 'received' or (i.state = 'claimed' and i.lease_until < now()))
  and not exists (
      select from inbox d
      where d.topic = 'analytics' and d.organization_id = i.organization_id
        and ((d.state = 'done' and d.finished_at > now() - make_interval(secs => :pause_seconds))
             or (d.state = 'claimed' and d.lease_until >= now()))
  );

-- name: clients
-- Active clients, all or those of :slugs, with the last day that has its snapshot and whether the last look had trouble.
select o.slug, a.snapshot_day, coalesce(a.failures, 0) > 0 as had_trouble
from organizations o left join analytics_agenda a on a.organization_id = o.id
where o.status = 'active' and o.held_since is null and (cast(:slugs as text[]) is null or o.slug = any(:slugs))
order by o.slug;

-- name: days_of
-- Organizations with a database, all or those of :slugs, and each day from :from_day to :to_day on which they were there.
select o.slug, d.day::date as day
from organizations o
cross join lateral generate_series(greatest(cast(:from_day as date), (o.created_at at time zone 'UTC')::date),
                                   cast(:to_day as date), interval '1 day') as d (day)
where o.status in ('active', 'suspended') and (cardinality(cast(:slugs as text[])) = 0 or o.slug = any(:slugs))
order by o.slug, d.day;

-- name: notes_of
-- Before a look: what had been noted by then.
select o.id, o.slug, coalesce(a.notes, 0) as notes
from organizations o left join analytics_agenda a on a.organization_id = o.id
where o.slug = any(:slugs);

-- name: settle!
-- What a look found to be next. One with trouble and no time of its own comes again in 10 minutes, and later with each
-- look in vain, 6 hours at most. A note that came during the look keeps its earlier time: the notes that were seen stand
-- in the row to insert.
insert into analytics_agenda (organization_id, measure_at, failures, notes)
select given.id,
       case when given.at is null and given.has_trouble
            then cast(:now as timestamptz) + least(interval '10 minutes' * power(2, least(coalesce(a.failures, 0), 10)),
                                                   interval '6 hours')
            else coalesce(given.at, 'infinity') end,
       case when given.has_trouble then coalesce(a.failures, 0) + 1 else 0 end,
       given.seen_notes
from unnest(cast(:organization_ids as uuid[]), cast(:times as timestamptz[]), cast(:troubles as boolean[]),
            cast(:seen_notes as bigint[])) as given (id, at, has_trouble, seen_notes)
left join analytics_agenda a on a.organization_id = given.id
order by given.id
on conflict (organization_id) do update
set failures = excluded.failures,
    measure_at = case when analytics_agenda.notes = excluded.notes then excluded.measure_at
                      else least(analytics_agenda.measure_at, excluded.measure_at) end;

-- name: snapshot_taken!
insert into analytics_agenda (organization_id, snapshot_day)
select id, :day from unnest(cast(:organization_ids as uuid[])) as given (id) order by id
on conflict (organization_id) do update
set snapshot_day = greatest(analytics_agenda.snapshot_day, excluded.snapshot_day), figures_failures = 0,
    figures_at = null;

-- name: weeks_due
select w.slug, w.week_start from app.weeks_due(:now) w join organizations o on o.slug = w.slug
where o.held_since is null order by week_start, slug limit :row_limit;

-- name: count_weeks$
-- By the database's clock.
select count(*) from app.weeks_due(now()) w join organizations o on o.slug = w.slug where o.held_since is null;

-- name: week_reported!
insert into analytics_agenda (organization_id, week_reported)
select id, :week_start from unnest(cast(:organization_ids as uuid[])) as given (id) order by id
on conflict (organization_id) do update
set week_reported = greatest(analytics_agenda.week_reported, excluded.week_reported), figures_failures = 0,
    figures_at = null;

-- name: figures_failed!
-- A snapshot or a report could not be made: again in a quarter of an hour, later each time, 6 hours at most.
insert into analytics_agenda (organization_id, figures_failures, figures_at)
select id, 1, cast(:now as timestamptz) + interval '15 minutes'
from unnest(cast(:organization_ids as uuid[])) as given (id) order by id
on conflict (organization_id) do update
set figures_failures = analytics_agenda.figures_failures + 1,
    figures_at = cast(:now as timestamptz) + least(
        interval '15 minutes' * power(2, least(analytics_agenda.figures_failures, 10)), interval '6 hours');
