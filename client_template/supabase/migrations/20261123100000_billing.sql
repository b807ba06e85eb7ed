-- The client's copies of its subscription and its invoices, as the agency's books have them today.

alter table subscription_history
    drop constraint subscription_history_status_check,
    add constraint subscription_history_status_check check (
        status in ('pending', 'trial', 'active', 'past_due', 'suspended', 'paused', 'cancelled', 'expired')
    );

alter table invoices
    drop constraint invoices_subscription_id_period_start_key,
    add column kind text not null default 'period' check (kind in ('period', 'charge')),
    add column url text check (url ~ '^https?://');
comment on column invoices.url is 'Where the PDF is: a page of the agency''s that needs no account.';
create unique index invoices_one_per_period on invoices (subscription_id, period_start) where kind = 'period';
