-- What one client's crowd of deliveries and one vendor's limits must not do to everybody else.

alter table inbox add column lane text not null default 'ordinary' check (lane in ('ordinary', 'crowd', 'suspects'));
comment on column inbox.lane is 'Of its batch: ordinary; of clients with very many rows open; of rows whose runs made no progress.';

create table vendor_limits (
    vendor text primary key check (vendor ~ '^[a-z][a-z0-9_]{0,29}$'),
    next_at timestamptz not null default '-infinity',
    held_until timestamptz not null default '-infinity',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table vendor_limits is
    'What all processes of all machines share of a vendor: the place of the next call, where a rate is set, and until when '
    'the vendor asked to be left alone. Times are this database''s own.';
comment on column vendor_limits.next_at is 'All places before it are given away; places are one interval of the rate apart.';
select app.keep_updated_at('vendor_limits');
