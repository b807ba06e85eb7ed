-- The agency's weekly report over all clients, all of the master database.

-- name: clients_of_week
-- Who had a system in the week, with the agency itself, and what is known of the week already. Of who is leaving the
-- database is put away: only what is known counts.
select o.id, o.slug, o.name, o.status, o.timezone, o.locale, o.database_name, o.dsn_sealed, o.data_key_wrapped,
       o.plan_key, (o.created_at at time zone 'UTC')::date as since, w.organization_id is not null as is_counted, w.posts,
       w.readings, w.engagements, w.ai_cost_usd, w.x_cost_usd, w.figures
from organizations o left join client_weeks w on w.organization_id = o.id and w.week_start = :week_start
where w.organization_id is not null
   or (o.status in ('active', 'suspended') and o.created_at < cast(:week_end as date))
order by o.slug;

-- name: paid_periods
-- Invoices that were paid for days of the week.
select organization_id, period_start, period_end, net_cents from invoices
where status = 'paid' and organization_id = any(:organization_ids)
  and period_start < :week_end and period_end > :week_start;

-- name: plan_costs
select vendor, effective_from, usd_per_client_month from vendor_plan_costs
where effective_from < :week_end order by vendor, effective_from;

-- name: lock_reports!
-- Two runs of one week take turns: the second sees the first's version.
select pg_advisory_xact_lock(hashtextextended('agency_reports', 24));

-- name: newest_report^
select version, content from agency_reports where week_start = :week_start order by version desc limit 1;

-- name: put_report!
insert into agency_reports (week_start, version, content, html, run_id)
values (:week_start, :version, :content, :html, :run_id);
