-- What a client did and cost in a week: counted in its own database, kept in master's client_weeks.

-- name: week_of_client^
-- Of a tenant's database. X charges for what it publishes and for each post that it gives the numbers of.
select
    (select count(*) from content_queue
     where part_kind = 'post' and status in ('published', 'undo_requested')
       and published_at >= :starts_at and published_at < :ends_at) as posts,
    m.readings, m.x_reads, x.x_posts, x.x_posts_usd, g.tokens, g.ai_cost_usd
from (select count(*) as readings, count(*) filter (where platform_id = 'x' and not is_gone) as x_reads
      from platform_metrics where collected_at >= :starts_at and collected_at < :ends_at) m,
     (select count(*) as x_posts, coalesce(sum(cost_usd), 0) as x_posts_usd from content_queue
      where platform_id = 'x' and published_at >= :starts_at and published_at < :ends_at) x,
     (select coalesce(sum(tokens_used), 0)::bigint as tokens, coalesce(sum(cost_usd), 0) as ai_cost_usd
      from ai_generation_log where created_at >= :starts_at and created_at < :ends_at) g;

-- name: put_client_week!
-- Engagements come with the client's report alone: who writes without them leaves them as they are.
insert into client_weeks (organization_id, week_start, posts, readings, engagements, ai_cost_usd, x_cost_usd, figures)
values (:organization_id, :week_start, :posts, :readings, :engagements, :ai_cost_usd, :x_cost_usd, :figures)
on conflict (organization_id, week_start) do update
set posts = excluded.posts, readings = excluded.readings, ai_cost_usd = excluded.ai_cost_usd,
    engagements = coalesce(excluded.engagements, client_weeks.engagements), x_cost_usd = excluded.x_cost_usd,
    figures = excluded.figures;
