-- The wish of a person to be forgotten, once for each organization that knows them.

create table person_erasures (
    id uuid primary key,
    organization_id uuid not null references organizations (id) on delete restrict,
    fingerprint text not null check (length(fingerprint) = 43),
    state text not null default 'erasing' check (state in ('erasing', 'erased')),
    subject_sealed bytea,
    requested_by text not null,
    counts jsonb not null default '{}' check (jsonb_typeof(counts) = 'object'),
    certificate jsonb check (jsonb_typeof(certificate) = 'object'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    finished_at timestamptz,
    check ((state = 'erasing') = (subject_sealed is not null)),
    check ((state = 'erased') = (certificate is not null and finished_at is not null))
);
comment on table person_erasures is
    'Who is being forgotten is sealed and goes with the last step; what stays, counts and certificate, names nobody.';
comment on column person_erasures.fingerprint is
    'What the address gives under the organization''s own key: the same person is known again, and nobody can be guessed.';
comment on column person_erasures.subject_sealed is
    'Addresses and ids, sealed with the organization''s key: found before anything is emptied, so that a repetition still knows whom.';
comment on column person_erasures.counts is 'Rows of the master database that were emptied so far, by place.';
create index person_erasures_person on person_erasures (organization_id, fingerprint, created_at);
create unique index person_erasures_one_open on person_erasures (organization_id, fingerprint) where state = 'erasing';
select app.keep_updated_at('person_erasures');

-- Bodies whose retention is over are found without reading the rows that are empty already.
create index inbox_to_empty on inbox (received_at) where state = 'done' and parsed_sealed is not null;
