-- Which keys a dump of the master rests on besides the one of its file, and no figures of files that are gone.

alter table backups add column dump_key_ids text[] not null default '{}';
comment on column backups.dump_key_ids is 'Of the master: the master keys under which values in the dump are sealed. During a rotation they are several.';
comment on column backups.master_key_id is 'The master key that seals the file (a client''s: that was the newest). Without it the file opens to nobody.';
update backups set tables = '{}' where state = 'expired';
