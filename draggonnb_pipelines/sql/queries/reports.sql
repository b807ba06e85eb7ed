-- The weekly reports of a tenant and their files.

-- name: newest_report^
-- What was last written about a week, and the figures that it rests on.
select r.id, r.version, r.snapshot_id, r.content, s.metrics
from weekly_reports r join analytics_snapshots s on s.id = r.snapshot_id
where r.week_start = :week_start
order by r.version desc
limit 1;

-- name: store_report^
-- Who comes second with a version stores nothing.
insert into weekly_reports (week_start, version, snapshot_id, content, html, run_id)
values (:week_start, :version, :snapshot_id, :content, :html, :run_id)
on conflict (organization_id, week_start, version) do nothing
returning id, version, snapshot_id, content;

-- name: store_files!
insert into report_files (report_id, name, content_type, content)
select :report_id, f.name, f.content_type, f.content
from unnest(cast(:names as text[]), cast(:content_types as text[]), cast(:contents as bytea[]))
    as f (name, content_type, content);

-- name: files_of
select id, name, octet_length(content) as bytes from report_files where report_id = :report_id order by name;

-- name: gains
-- Engagements gained in each day or week, as its newest snapshot has it; null: not known. A day on which nothing could
-- be read has no number, though nothing seems to have been gained; where there was no post, nothing was gained.
select distinct on (period_start) period_start,
       case when metrics -> 'platforms' = '{}' then 0
            when period = 'day'
                 and metrics -> 'days_without_readings' @> to_jsonb(cast(period_start as text)) then null
            else cast(cast(metrics #>> '{engagements,gained}' as numeric) as bigint) end as gained
from analytics_snapshots
where period = :period and period_start >= :since and period_start < :until
order by period_start, version desc;

-- name: is_told$
-- Whether anybody was told of this event already.
select exists (select from notification_deliveries where event_key = :event_key);

-- name: report_page^
select html from weekly_reports where week_start = :week_start order by version desc limit 1;

-- name: report_file^
-- A file of the newest version.
select content_type, content from report_files
where name = :name and report_id = (select id from weekly_reports where week_start = :week_start
                                    order by version desc limit 1);
