-- A contact that was forgotten stays as a number in the figures, and as nobody.

alter table contacts add column erased_at timestamptz;
comment on column contacts.erased_at is
    'The person asked to be forgotten: nothing here or on their leads says any more who they were, and no work is done for them.';
