-- What is asked every hour of tables that only grow goes through an index.

-- Who is behind the current prompts is found among the versions there are, not among all the days.
create index asset_ledger_versions on asset_ledger (asset, coalesce(code_version, '')) where rows > 0;
