-- Leads in a tenant's database, from capture to analysis. Statements that run per lead go through executemany,
-- which psycopg sends as one pipeline.

-- name: lock_capture!
-- Captures of one tenant take turns, so that two deliveries of one person at once still make one contact.
select pg_advisory_xact_lock(hashtext('capture_lead'));

-- name: capture_lead
-- One delivery: find or create the person, find or open the lead, record the event. Repeatable.
with prior as (
    select lead_id from lead_events where inbox_id = :inbox_id
), matched as (
    select c.id from contacts c
    where c.email_normalized = :email_normalized or c.phone_e164 = :phone_e164
    order by (c.email_normalized is not distinct from :email_normalized) desc, c.created_at
    limit 1
), created as (
    insert into contacts (name, email, email_normalized, phone_e164, company, website, lead_id)
    select :name, :email, :email_normalized, :phone_e164, :company_name, :website, :lead_id
    where not exists (select from matched) and not exists (select from prior)
    returning id
), completed as (
    update contacts c
    set name = coalesce(c.name, :name),
        company = coalesce(c.company, :company_name),
        website = coalesce(c.website, :website),
        email = coalesce(c.email, case when free.email then :email end),
        email_normalized = coalesce(c.email_normalized, case when free.email then :email_normalized end),
        phone_e164 = coalesce(c.phone_e164, case when free.phone then :phone_e164 end)
    from matched, (
        select not exists (select from contacts where email_normalized = :email_normalized) as email,
               not exists (select from contacts where phone_e164 = :phone_e164) as phone
    ) as free
    where c.id = matched.id
    returning c.id
), contact as (
    select id from created union all select id from completed
), known as (
    select lead_id as id from prior
    union
    select l.id from leads l join contact on contact.id = l.contact_id
    where l.status not in ('won', 'lost') and not exists (select from prior)
), opened as (
    insert into leads (id, contact_id, source, status, company_name, website, message, qualification_data,
                       received_at, rule_score, rule_score_reasons)
    select :lead_id, contact.id, :source, 'new', :company_name, :website, :message, :qualification_data,
           :received_at, :rule_score, :rule_score_reasons
    from contact where not exists (select from known)
    returning id
), reopened as (
    update leads l
    set status = 'new', review_reason = null,
        website = coalesce(l.website, :website), company_name = coalesce(l.company_name, :company_name)
    from known where l.id = known.id and l.status = 'needs_review'
    returning l.id
), lead as (
    select id, true as is_new from opened union all select id, false from known
), event as (
    insert into lead_events (lead_id, source, delivery_id, inbox_id, occurred_at, payload)
    select id, :source, :delivery_id, :inbox_id, :received_at, :payload from lead
    on conflict do nothing
)
select lead.id as lead_id, lead.is_new, cast(:inbox_id as uuid) as inbox_id from lead;

-- name: store_consent*!
insert into consents (contact_id, purpose, granted, wording, source, recorded_at, inbox_id)
select l.contact_id, :purpose, :granted, :wording, :source, :recorded_at, :inbox_id from leads l where l.id = :lead_id
on conflict do nothing;

-- name: lead_rows
-- What the steps need of their leads: the person, the company, how far they are.
select l.id as lead_id, l.status, l.source, l.received_on, l.company_name, coalesce(l.website, c.website) as website,
       l.message, l.qualification_data, l.rule_score, l.model_score, l.review_reason, c.name as contact_name,
       c.email, c.phone_e164,
       p.version as profile_version, p.status as site_status, p.sector, p.size_hint, p.findings, p.facts
from leads l
join contacts c on c.id = l.contact_id
left join lateral (
    select * from company_profiles where lead_id = l.id order by version desc limit 1
) p on true
where l.id = any(:lead_ids)
order by l.received_at, l.id;

-- name: event_rows
-- Deliveries as they came, by their inbox ids.
select lead_id, inbox_id, source, occurred_at, payload from lead_events where inbox_id = any(:inbox_ids);

-- name: leads_of_days
-- Without those whose person was forgotten: of them there is nothing to analyse.
select l.id as lead_id, l.received_on from leads l join contacts c on c.id = l.contact_id
where l.received_on = any(:days) and c.erased_at is null
order by l.received_at, l.id;

-- name: day_counts
-- What there is of each asset on each day, whichever runs made it, and by which prompt: one hash, or 'mixed'.
select l.received_on as day, count(*) as leads,
       count(*) filter (where l.status = 'needs_review') as needs_review,
       count(*) filter (where exists (select from company_profiles where lead_id = l.id)) as company_profiles,
       count(*) filter (where exists (
           select from notification_deliveries where lead_id = l.id)) as sales_notifications,
       count(c.prompt_hash) as competitor_analyses,
       case when min(c.prompt_hash) = max(c.prompt_hash) then min(c.prompt_hash) else 'mixed' end
           as competitor_analyses_prompt,
       count(b.prompt_hash) as business_analyses,
       case when min(b.prompt_hash) = max(b.prompt_hash) then min(b.prompt_hash) else 'mixed' end
           as business_analyses_prompt,
       count(o.prompt_hash) as proposals,
       case when min(o.prompt_hash) = max(o.prompt_hash) then min(o.prompt_hash) else 'mixed' end as proposals_prompt
from leads l
left join lateral (
    select prompt_hash from lead_analyses where lead_id = l.id and kind = 'competitors' order by version desc limit 1
) c on true
left join lateral (
    select prompt_hash from lead_analyses where lead_id = l.id and kind = 'business' order by version desc limit 1
) b on true
left join lateral (
    select prompt_hash from proposals where lead_id = l.id and status <> 'accepted' order by version desc limit 1
) o on true
where l.received_on = any(:days)
group by l.received_on;

-- name: store_profile!
insert into company_profiles (lead_id, version, website, status, company_name, sector, size_hint, facts, findings,
                              pages, fetched_at)
values (:lead_id, 1, :website, :status, :company_name, :sector, :size_hint, :facts, :findings, :pages, :fetched_at)
on conflict (lead_id, version) do nothing;

-- name: store_evidence!
insert into evidence (lead_id, subject, url, sha256, title, text, http_status, fetched_at)
select :lead_id, :subject, page.url, page.sha256, page.title, page.text, page.http_status, page.fetched_at
from unnest(cast(:urls as text[]), cast(:hashes as text[]), cast(:titles as text[]), cast(:texts as text[]),
            cast(:statuses as int[]), cast(:times as timestamptz[]))
    as page (url, sha256, title, text, http_status, fetched_at)
on conflict (lead_id, url, sha256) do nothing;

-- name: evidence_rows
select lead_id, subject, url, sha256, title, text, fetched_at from evidence
where lead_id = any(:lead_ids)
order by lead_id, subject, url, sha256;

-- name: current_analyses
-- The newest version of each kind: what later steps and the page rest on.
select distinct on (lead_id, kind) id, lead_id, kind, version, prompt_hash, request_hash, content, claims_total,
       claims_unsupported
from lead_analyses
where lead_id = any(:lead_ids)
order by lead_id, kind, version desc;

-- name: lock_analyses!
-- Runs that store an analysis of the same lead take turns, so that the second sees the first one's version.
select pg_advisory_xact_lock(hashtextextended(:lead_id, 5));

-- name: store_analysis^
-- A new version, unless the newest one answers this very question: then that one, untouched. An older version never
-- comes back to life: a prompt that is rolled back makes a new version of the old answer. Under lock_analyses.
with newest as (
    select id, version, request_hash from lead_analyses
    where lead_id = :lead_id and kind = :kind order by version desc limit 1
), stored as (
    insert into lead_analyses (lead_id, kind, version, prompt_hash, model, request_hash, generation_id, content,
                               claims_total, claims_unsupported)
    select :lead_id, :kind, coalesce((select version from newest), 0) + 1,
           :prompt_hash, :model, :request_hash, :generation_id, :content, :claims_total, :claims_unsupported
    where not exists (select from newest where request_hash = :request_hash)
    returning id, version
)
select id, version from stored
union all
select id, version from newest where request_hash = :request_hash
limit 1;

-- name: score_lead!
update leads
set status = case when status in ('new', 'needs_review') then 'analysed' else status end, review_reason = null,
    model_score = :model_score, model_score_reasons = :model_score_reasons
where id = :lead_id;

-- name: park_lead!
-- A person must look: with the reason, and without touching a lead that a person has taken on already.
update leads set status = 'needs_review', review_reason = :reason
where id = :lead_id and status in ('new', 'analysed', 'needs_review');

-- name: count_leads$
select count(*) from leads;

-- name: lead_story^
-- One lead from first to last effect: what came of it and when.
select l.id, l.rule_score, l.model_score, l.created_at as captured_at,
       p.created_at as researched_at, p.pages,
       c.created_at as competitors_at, jsonb_array_length(c.content -> 'competitors') as competitors,
       b.created_at as analysed_at, jsonb_path_query_array(b.content, '$.quick_wins[*].title') as quick_wins,
       offer.created_at as proposed_at, offer.id as proposal_id, offer.title, offer.html,
       sent.channels, sent.notified_at
from leads l
left join company_profiles p on p.lead_id = l.id and p.version = 1
left join lead_analyses c on c.lead_id = l.id and c.kind = 'competitors' and c.version = 1
left join lead_analyses b on b.lead_id = l.id and b.kind = 'business' and b.version = 1
left join lateral (
    select * from proposals where lead_id = l.id order by version desc limit 1
) offer on true
left join lateral (
    select string_agg(channel || ' ' || status, ', ' order by channel) as channels, max(sent_at) as notified_at
    from notification_deliveries where lead_id = l.id
) sent on true
where l.id = :lead_id;
