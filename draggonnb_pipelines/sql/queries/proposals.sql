-- Proposals: the stored versions in the tenant's database, the public links in master.

-- name: current_proposals
-- `accepted_version` is the one that the client took, if any, whatever came after it.
select distinct on (lead_id) id, lead_id, version, request_hash, status, plan_key, title, analysis_id,
       max(version) filter (where status = 'accepted') over (partition by lead_id) as accepted_version
from proposals where lead_id = any(:lead_ids)
order by lead_id, version desc;

-- name: newest_version^
-- Under lock_proposals: what the next version must differ from.
select id, version, request_hash from proposals where lead_id = :lead_id order by version desc limit 1;

-- name: store_proposal!
-- A draft beside the older versions: their pages stay valid until this one is sent.
insert into proposals (id, lead_id, analysis_id, version, prompt_hash, request_hash, title, content, html, html_sha256,
                       plan_key, status)
values (:id, :lead_id, :analysis_id, :version, :prompt_hash, :request_hash, :title, :content, :html, :html_sha256,
        :plan_key, 'draft');

-- name: mark_sent!
-- The version whose link has gone out; older ones that were sent step back, an accepted one stays.
with sent as (
    update proposals set status = 'sent' where id = any(:ids) and status = 'draft' returning lead_id, version
)
update proposals p set status = 'superseded'
from sent where p.lead_id = sent.lead_id and p.version < sent.version and p.status = 'sent';

-- name: mark_proposed!
update leads set status = 'proposed' where id = :lead_id and status in ('new', 'analysed', 'needs_review');

-- name: plans_on_offer
-- Master: the plans with the price and the limits that are valid on :today, cheapest first.
select p.key, p.name, price.amount_cents as price_cents, price.currency, valid.limits
from plans p
join lateral (
    select amount_cents, currency from plan_prices
    where plan_key = p.key and effective_from <= :today order by effective_from desc limit 1
) price on true
join lateral (
    select jsonb_object_agg(metric, limit_value) as limits from (
        select distinct on (metric) metric, limit_value from plan_limits
        where plan_key = p.key and effective_from <= :today order by metric, effective_from desc
    ) newest
) valid on true
where p.is_offered
order by price.amount_cents;

-- name: put_link!
-- Master: the public address of one version. The token itself is stored nowhere.
insert into proposal_links (token_sha256, organization_id, proposal_id, lead_id, version, created_at, expires_at)
values (:token_sha256, :organization_id, :proposal_id, :lead_id, :version, :created_at, :expires_at)
on conflict do nothing;

-- name: lock_proposals!
select pg_advisory_xact_lock(hashtextextended(:lead_id, 7));

-- name: proposal_link^
-- Master: what a token of a public address stands for.
select organization_id, proposal_id, lead_id, version, created_at, expires_at, viewed_at, accepted_at
from proposal_links where token_sha256 = :token_sha256;

-- name: note_proposal_view!
update proposal_links set viewed_at = now() where token_sha256 = :token_sha256 and viewed_at is null;

-- name: note_proposal_acceptance^
-- Master's copy of an acceptance. Returns a row to the first caller only, who also writes the audit entry.
update proposal_links
set accepted_at = :accepted_at, accepted_by_name = :name, accepted_by_email = :email
where token_sha256 = :token_sha256 and accepted_at is null
returning organization_id;

-- name: proposal_page^
-- Tenant: the stored page, and whether it still stands.
select p.html, p.status, p.version, p.accepted_at, p.title,
       exists (select from proposals newer where newer.lead_id = p.lead_id and newer.version > p.version
               and newer.status in ('sent', 'accepted')) as has_newer,
       exists (select from proposals other where other.lead_id = p.lead_id and other.id <> p.id
               and other.status = 'accepted') as other_accepted
from proposals p where p.id = :id;

-- name: lock_proposal_lead!
-- Acceptances of one lead's proposals take turns: at most one version of them is ever accepted.
select l.id from leads l join proposals p on p.lead_id = l.id where p.id = :id for update of l;

-- name: accept_proposal^
-- Returns a row to the one caller whose acceptance this is.
update proposals p set status = 'accepted', accepted_at = :accepted_at
where p.id = :id and p.status in ('draft', 'sent')
  and not exists (select from proposals other where other.lead_id = p.lead_id and other.id <> p.id
                  and (other.status = 'accepted' or (other.status = 'sent' and other.version > p.version)))
returning p.id, p.lead_id, p.version, p.title;

-- name: announce_acceptance!
-- In the dashboard of everybody who is told about leads.
insert into notifications (user_id, type, message, metadata, event_key)
select id, 'proposal_accepted', :message, :metadata, :event_key from users where notify_leads
on conflict do nothing;

-- name: audit_acceptance!
-- Master or tenant; both keep their own chain.
select append_audit(:actor, 'proposal.accepted', :resource, :metadata);
