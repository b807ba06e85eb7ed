-- From the accepted proposal to PayFast's page, and the notices that come back. All in master but one.

-- name: plans_of_day
-- Every plan with the terms that are valid on :today, cheapest first; also those that are no longer offered.
select p.key, p.name, p.description, p.is_offered, p.trial_days, price.amount_cents as price_cents, price.currency,
       coalesce(valid.limits, '{}') as limits
from plans p
left join lateral (
    select amount_cents, currency from plan_prices
    where plan_key = p.key and effective_from <= :today order by effective_from desc limit 1
) price on true
left join lateral (
    select jsonb_object_agg(metric, limit_value) as limits from (
        select distinct on (metric) metric, limit_value from plan_limits
        where plan_key = p.key and effective_from <= :today order by metric, effective_from desc
    ) newest
) valid on true
order by price.amount_cents nulls last, p.position;

-- name: acceptance^
-- Who accepted, as the form had it.
select lead_id, accepted_by_name, accepted_by_email
from proposal_links where organization_id = :organization_id and proposal_id = :proposal_id;

-- name: accepted_proposal^
-- Tenant: for whom the proposal was written. No row unless it was accepted.
select p.accepted_at, p.lead_id, coalesce(l.company_name, c.company, p.content ->> 'client_company') as company,
       c.name, c.email, c.phone_e164
from proposals p join leads l on l.id = p.lead_id join contacts c on c.id = l.contact_id
where p.id = :proposal_id and p.status = 'accepted';

-- name: lock_proposal_checkouts!
-- Choices of one proposal take turns.
select pg_advisory_xact_lock(hashtextextended(:proposal_id, 21));

-- name: checkouts_of_proposal
-- Under lock_proposal_checkouts. The rows are locked too: a payment that is being applied is waited for.
select id, plan_key, amount_cents, recurring_cents, trial_days, state, expires_at
from checkouts where seller_id = :seller_id and proposal_id = :proposal_id and state in ('open', 'paid')
order by id for update;

-- name: end_checkout!
update checkouts set state = case when expires_at <= :now then 'expired' else 'superseded' end
where id = :id and state = 'open';

-- name: insert_checkout!
insert into checkouts (id, token_sha256, m_payment_id, seller_id, proposal_id, lead_id, plan_key, amount_cents,
                       recurring_cents, trial_days, company, contact_name, contact_email, contact_phone, timezone,
                       approved_at, created_at, expires_at)
values (:id, :token_sha256, :m_payment_id, :seller_id, :proposal_id, :lead_id, :plan_key, :amount_cents,
        :recurring_cents, :trial_days, :company, :contact_name, :contact_email, :contact_phone, :timezone,
        :approved_at, :now, :expires_at);

-- name: paid_checkout$
select id from checkouts where seller_id = :seller_id and proposal_id = :proposal_id and state = 'paid';

-- name: checkout_of_token^
-- What a checkout's address stands for, whether another one of its proposal was paid, and how far its client is set up.
select c.id, c.m_payment_id, c.seller_id, c.proposal_id, c.plan_key, p.name as plan_name, c.amount_cents,
       c.recurring_cents, c.trial_days, c.company, c.contact_name, c.contact_email, c.state, c.expires_at,
       other.id as other_paid_id, pr.state as provisioning_state,
       (select count(*) from (
            select r.step from stack_resources r
            where r.organization_id = s.organization_id and r.step = any(:steps) and r.state <> 'removed'
            group by r.step having bool_and(r.state = 'ready')
        ) finished) as steps_done
from checkouts c
join plans p on p.key = c.plan_key
left join checkouts other on other.seller_id = c.seller_id and other.proposal_id = c.proposal_id
    and other.state = 'paid' and other.id <> c.id
left join subscriptions s on s.id = c.subscription_id
left join provisionings pr on pr.organization_id = s.organization_id
where c.token_sha256 = :token_sha256;

-- name: store_notice!
-- As it came, before anybody reads it. The same again from the same address is counted.
insert into payments (raw_sealed, raw_sha256, source_ip) values (:raw_sealed, :raw_sha256, :source_ip)
on conflict (raw_sha256, source_ip) do update set deliveries = payments.deliveries + 1;
