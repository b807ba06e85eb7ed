-- The asset ledger in master: what was materialized for whom and which day, and by which prompt.

-- name: record!
insert into asset_ledger (organization_id, asset, day, rows, needs_review, code_version, run_id, materialized_at)
select o.id, :asset, k.day, k.rows, k.parked, k.code_version, :run_id, :now
from unnest(cast(:slugs as text[]), cast(:days as date[]), cast(:rows as int[]), cast(:parked as int[]),
            cast(:code_versions as text[])) as k (slug, day, rows, parked, code_version)
join organizations o on o.slug = k.slug
on conflict (organization_id, asset, day) do update
set rows = excluded.rows, needs_review = excluded.needs_review, code_version = excluded.code_version,
    run_id = excluded.run_id, materialized_at = excluded.materialized_at;

-- name: behind
-- Organizations with days whose newest analysis rests on another prompt than the current one. From version to version
-- through the index, each in one step: while everybody is on the current prompts, no day of the past is read.
with recursive current as (
    select * from unnest(cast(:assets as text[]), cast(:versions as text[])) as given (asset, version)
), versions as (
    select c.asset, (select min(coalesce(l.code_version, '')) from asset_ledger l
                     where l.asset = c.asset and l.rows > 0) as version
    from current c
    union all
    select v.asset, (select min(coalesce(l.code_version, '')) from asset_ledger l
                     where l.asset = v.asset and l.rows > 0 and coalesce(l.code_version, '') > v.version)
    from versions v where v.version is not null
)
select o.slug, v.asset, cast(sum(found.days) as bigint) as days, min(found.from_day) as from_day,
       max(found.to_day) as to_day
from versions v join current c on c.asset = v.asset and c.version <> v.version
cross join lateral (
    select l.organization_id, count(*) as days, min(l.day) as from_day, max(l.day) as to_day
    from asset_ledger l
    where l.asset = v.asset and coalesce(l.code_version, '') = v.version and l.rows > 0
    group by 1
) found
join organizations o on o.id = found.organization_id and o.status = 'active'
group by 1, 2
order by 1, 2;

-- name: days_with_leads
select o.slug, l.day from asset_ledger l join organizations o on o.id = l.organization_id
where l.asset = 'leads' and l.rows > 0 and l.day between :from_day and :to_day
  and (cardinality(cast(:organizations as text[])) = 0 or o.slug = any(:organizations))
order by o.slug, l.day;
