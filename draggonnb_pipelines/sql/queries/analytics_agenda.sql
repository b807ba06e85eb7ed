-- Whose posts are read next, whose day has no snapshot and whose week no report yet. All in the master.

-- name: note_measuring!
-- Posts of these clients are to be read from :at on.
insert into analytics_agenda (organization_id, measure_at, notes)
select id, :at, 1 from unnest(cast(:organization_ids as uuid[])) as given (id) order by id
on conflict (organization_id) do update
set measure_at = least(analytics_agenda.measure_at, excluded.measure_at), notes = analytics_agenda.notes + 1;

-- name: due_organizations
-- The longest waiting first.
select slug, is_due, lacks_snapshot from app.numbers_due(:now) order by measure_at nulls last, slug limit :row_limit;

-- name: count_due$
select count(*) from app.numbers_due(:now);

-- name: due_and_asked^
-- By the database's clock: who is due, and who waits for fresh numbers.
select (select count(*) from app.numbers_due(now())) as due,
       (select count(distinct i.organization_id) from inbox i join organizations o on o.id = i.organization_id
        where i.topic = 'analytics' and i.state = 'received' and o.status = 'active'
          and not exists (select from inbox d where d.topic = 'analytics' and d.organization_id = i.organization_id
                          and d.state = 'done' and d.finished_at > now() - interval '1 hour')) as asked;

-- name: clients
-- Active clients, all or those of :slugs; :day has no snapshot yet, or one that may lack what could not be read.
select o.slug, coalesce(a.snapshot_day, '-infinity') < :day or coalesce(a.failures, 0) > 0 as needs_snapshot
from organizations o left join analytics_agenda a on a.organization_id = o.id
where o.status = 'active' and (cast(:slugs as text[]) is null or o.slug = any(:slugs))
order by o.slug;

-- name: notes_of
-- Before a look: what had been noted by then.
select o.id, coalesce(a.notes, 0) as notes
from organizations o left join analytics_agenda a on a.organization_id = o.id
where o.slug = any(:slugs);

-- name: settle!
-- What a look found to be next. One with trouble and no time of its own comes again in 10 minutes, and later with each
-- look in vain, 6 hours at most. A note that came during the look keeps its earlier time.
insert into analytics_agenda (organization_id, measure_at, failures)
select given.id,
       case when given.at is null and given.has_trouble
            then cast(:now as timestamptz) + least(interval '10 minutes' * power(2, least(coalesce(a.failures, 0), 10)),
                                                   interval '6 hours')
            else coalesce(given.at, 'infinity') end,
       case when given.has_trouble then coalesce(a.failures, 0) + 1 else 0 end
from unnest(cast(:organization_ids as uuid[]), cast(:times as timestamptz[]), cast(:troubles as boolean[]))
    as given (id, at, has_trouble)
left join analytics_agenda a on a.organization_id = given.id
order by given.id
on conflict (organization_id) do update
set failures = excluded.failures, measure_at = case
    when analytics_agenda.notes = any(
        select s.notes from unnest(cast(:organization_ids as uuid[]), cast(:seen_notes as bigint[])) as s (id, notes)
        where s.id = excluded.organization_id)
    then excluded.measure_at else least(analytics_agenda.measure_at, excluded.measure_at) end;

-- name: snapshot_taken!
insert into analytics_agenda (organization_id, snapshot_day)
select id, :day from unnest(cast(:organization_ids as uuid[])) as given (id) order by id
on conflict (organization_id) do update
set snapshot_day = greatest(analytics_agenda.snapshot_day, excluded.snapshot_day);

-- name: weeks_due
select slug, week_start from app.weeks_due() order by week_start, slug limit :row_limit;

-- name: count_weeks$
select count(*) from app.weeks_due();

-- name: week_reported!
insert into analytics_agenda (organization_id, week_reported)
select id, :week_start from unnest(cast(:organization_ids as uuid[])) as given (id) order by id
on conflict (organization_id) do update
set week_reported = greatest(analytics_agenda.week_reported, excluded.week_reported);
