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
-- Organizations with days whose newest analysis rests on another prompt than the current one.
select o.slug, l.asset, count(*) as days, min(l.day) as from_day, max(l.day) as to_day
from asset_ledger l join organizations o on o.id = l.organization_id
join unnest(cast(:assets as text[]), cast(:versions as text[])) as current (asset, version) on current.asset = l.asset
where l.rows > 0 and l.code_version is distinct from current.version and o.status = 'active'
group by 1, 2
order by 1, 2;

-- name: days_with_leads
select o.slug, l.day from asset_ledger l join organizations o on o.id = l.organization_id
where l.asset = 'leads' and l.rows > 0 and l.day between :from_day and :to_day
  and (cardinality(cast(:organizations as text[])) = 0 or o.slug = any(:organizations))
order by o.slug, l.day;
