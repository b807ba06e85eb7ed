-- Whoever was forgotten is known again by any of their addresses, not by the one alone that was typed.

alter table person_erasures add column also_known_by text[] not null default '{}';
comment on column person_erasures.also_known_by is
    'Fingerprints of the person''s other addresses, which a backup may bring back without the one that was typed.';
